/**
 * How a judge's reply is read. Only the completion is read, never the prompt, and `nonce` replies cannot be forged: the
 * two words that count carry a number the judged answer has never seen.
 */

/**
 * - `nonce` (default): the whole reply is one of two words made for this request.
 * - `vtool_v1`: the last `<...>` on a line is `<|YES|>`.
 * - `vtool_v2`: the reply starts with "1".
 * - `vtool_v2_evaluation`: the first lone 0 or 1.
 */
export type VerdictReading = "nonce" | "vtool_v1" | "vtool_v2" | "vtool_v2_evaluation";

export type VerdictWords = { readonly yes: string; readonly no: string };

/** Longest part of a reply that is read, in UTF-16 units: verdicts are short. */
const LONGEST_REPLY = 4096;

/** True for right, false for wrong, null where the reply is no verdict. */
export function readVerdict(reply: string, reading: VerdictReading, words: VerdictWords): boolean | null {
  const text = reply.slice(0, LONGEST_REPLY);
  switch (reading) {
    case "nonce": {
      const word = text.trim();
      return word === words.yes ? true : word === words.no ? false : null;
    }
    case "vtool_v1":
      return [...text.matchAll(/<([^\n]*?)>/g)].at(-1)?.[1] === "|YES|";
    case "vtool_v2":
      return text.trim().startsWith("1");
    case "vtool_v2_evaluation": {
      const digit = /(?<![\p{L}\p{N}_])[01](?![\p{L}\p{N}_])/u.exec(text)?.[0];
      return digit === undefined ? null : digit === "1";
    }
  }
}
