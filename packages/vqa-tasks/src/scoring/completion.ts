// What an answer of a chat endpoint says: a reply, a fault that may pass, or a refusal that will not.
import { z } from "zod";

/** `refused`: the server will not answer this request, however often it is asked. */
export type Outcome<T> =
  | { readonly value: T }
  | { readonly fault: string; readonly repeat: boolean; readonly refused?: boolean; readonly delayMs?: number };

const partSchema = z.looseObject({ type: z.string().optional(), text: z.string().nullish() });
const faultSchema = z.union([
  z.string().transform((message) => ({ message, code: undefined })),
  z.object({
    message: z.string().nullish(),
    code: z.union([z.string(), z.number()]).nullish(),
    type: z.string().nullish(),
  }),
]);
const completionSchema = z.object({
  error: faultSchema.nullish(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        error: faultSchema.nullish(),
        message: z
          .object({
            content: z.union([z.string(), z.array(partSchema).max(1024)]).nullish(),
            refusal: z.string().nullish(),
            reasoning_content: z.unknown().optional(),
            reasoning: z.unknown().optional(),
          })
          .nullish(),
      }),
    )
    .max(1024)
    .nullish(),
});

/** Servers put faults of others behind them into an answer with status 200. */
export function readCompletion(answer: unknown): Outcome<string> {
  const parsed = completionSchema.safeParse(answer);
  if (!parsed.success) {
    return { fault: "no chat completion; check that the address ends where /chat/completions begins", repeat: false };
  }
  const [choice] = parsed.data.choices ?? [];
  const error = parsed.data.error ?? choice?.error;
  if (error) return upstreamFault(error);
  if (parsed.data.choices === undefined || parsed.data.choices === null)
    return { fault: "no chat completion; check that the address ends where /chat/completions begins", repeat: false };
  if (choice === undefined) return { fault: "an answer without a choice", repeat: true };
  const { finish_reason: reason, message } = choice;
  const text = textOf(message?.content);
  if (reason === "error") return { fault: "the server ended the reply with an error", repeat: true };
  if (reason === "content_filter" || message?.refusal) {
    const why = message?.refusal ? `a refusal: ${JSON.stringify(message.refusal.slice(0, 200))}` : "a content filter";
    return { fault: `the answer holds no reply: ${why}`, repeat: false, refused: true };
  }
  if (text !== "") return { value: text };
  if (reason === "length")
    return {
      fault: "the answer holds no reply: it ended at its limit before the first word; allow more tokens",
      repeat: false,
      refused: true,
    };
  if (message?.reasoning_content || message?.reasoning)
    return { fault: "the answer holds no reply: only reasoning", repeat: true, refused: true };
  if (message?.content === undefined || message.content === null)
    return {
      fault: `the answer holds no reply: no text, finish_reason ${reason}`,
      repeat: false,
      refused: true,
    };
  return { value: "" };
}

function textOf(content: string | readonly z.infer<typeof partSchema>[] | null | undefined): string {
  if (typeof content === "string") return content;
  return (content ?? []).map(({ type, text }) => ((type ?? "text").endsWith("text") ? (text ?? "") : "")).join("");
}

function upstreamFault({
  code,
  message,
  type,
}: z.infer<typeof faultSchema> & { type?: string | null | undefined }): Outcome<never> {
  const status = Number(code ?? Number.NaN);
  const filtered = [code, type].some((word) => typeof word === "string" && /filter|policy|refus/i.test(word));
  const passes = Number.isNaN(status) ? !filtered : status === 408 || status === 429 || status >= 500;
  const named = code === undefined || code === null ? "" : ` ${String(code).slice(0, 40)}`;
  return {
    fault: `an error${named} inside of the answer: ${JSON.stringify((message ?? "").slice(0, 200))}`,
    repeat: passes,
    refused: !passes,
  };
}
