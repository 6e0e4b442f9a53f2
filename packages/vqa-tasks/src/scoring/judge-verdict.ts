// How a judge's reply is read. Only the completion is read, never the prompt, and `nonce` replies cannot be forged: the
// two words that count carry a number the judged answer has never seen.
import { withoutThinking } from "./completion.ts";

/**
 * - `nonce` (default): the last of two words made for this request, in any case and whatever stands around it; thinking does not count.
 * - `vtool_v1`: the last `<...>` on a line is `<|YES|>`.
 * - `vtool_v2`: the reply starts with "1".
 * - `vtool_v2_evaluation`: the first lone 0 or 1.
 */
export type VerdictReading = "nonce" | "vtool_v1" | "vtool_v2" | "vtool_v2_evaluation";

export type VerdictWords = { readonly yes: string; readonly no: string };

/** Longest part of a reply that is read, in UTF-16 units: verdicts are short, and stand at the end. */
const LONGEST_REPLY = 4096;

/** Which of the words a reply says last, in any case, after its thinking; undefined for none. The line that asks for one of them is no answer. */
export function lastWord<W extends string>(reply: string, words: readonly W[]): W | undefined {
  const text = withoutThinking(reply)
    .slice(-LONGEST_REPLY)
    .toLowerCase()
    .replace(/nothing else: [^\n]*/g, "");
  let last: { readonly word: W; readonly at: number } | undefined;
  for (const word of words) {
    const at = text.lastIndexOf(word.toLowerCase());
    if (at >= 0 && at > (last?.at ?? -1)) last = { word, at };
  }
  return last?.word;
}

/** True for right, false for wrong, null where the reply is no verdict. */
export function readVerdict(reply: string, reading: VerdictReading, words: VerdictWords): boolean | null {
  const text = reply.slice(0, LONGEST_REPLY);
  switch (reading) {
    case "nonce": {
      const word = lastWord(reply, [words.yes, words.no]);
      return word === undefined ? null : word === words.yes;
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
