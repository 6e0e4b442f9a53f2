// What an answer of a chat endpoint says: a reply, a fault that may pass, or a refusal that will not.
import { z } from "zod";

/** `refused`: the server will not answer this request, however often it is asked. */
export type Outcome<T> =
  | { readonly value: T }
  | { readonly fault: string; readonly repeat: boolean; readonly refused?: boolean; readonly delayMs?: number };

type Fault = Extract<Outcome<never>, { fault: string }>;

const textSchema = z.union([z.string(), z.object({ value: z.string() }).transform(({ value }) => value)]);
const partSchema = z.union([
  z.string().transform((text) => ({ type: "text", text, refusal: undefined })),
  z.looseObject({ type: z.string().optional(), text: textSchema.nullish(), refusal: z.string().nullish() }),
]);
const messageSchema = z.looseObject({
  content: z.union([z.string(), z.array(partSchema).max(1024)]).nullish(),
  refusal: z.string().nullish(),
});
const choiceSchema = z.object({
  index: z.unknown().optional(),
  finish_reason: z.string().nullish(),
  error: z.unknown().optional(),
  message: messageSchema.nullish(),
});
const completionSchema = z.object({
  error: z.unknown().optional(),
  choices: z.array(choiceSchema).max(1024).nullish(),
});

/** Where servers put what a model thinks. */
const REASONING: readonly string[] = ["reasoning_content", "reasoning", "reasoning_details", "thinking"];

/**
 * Servers put faults of others behind them into an answer with status 200.
 *
 * @param whole a reply that was cut at its limit is none
 */
export function readCompletion(answer: unknown, whole = false): Outcome<string> {
  const parsed = completionSchema.safeParse(answer);
  if (!parsed.success) return noCompletion(answer, parsed.error);
  const choices = parsed.data.choices ?? [];
  const choice = choices.find(({ index }) => index === 0) ?? choices[0]; // one was asked for
  const error = parsed.data.error || choice?.error;
  if (error) return upstreamFault(error);
  if (parsed.data.choices === undefined) return noCompletion(answer);
  if (choice === undefined) return { fault: "an answer without a choice", repeat: true };
  return readChoice(choice, whole);
}

function readChoice({ finish_reason, message }: z.infer<typeof choiceSchema>, whole: boolean): Outcome<string> {
  const reason = finish_reason ?? "stop";
  const end = endOf(reason);
  const { text, refusal } = contentOf(message);
  if (end === "error") return { fault: `the server ended the reply: ${shown(reason)}`, repeat: true };
  if (end === "filter") return noReply("a content filter");
  if (refusal !== "") return noReply(`a refusal: ${shown(refusal)}`);
  if (end === "limit" && withoutThinking(text).trim() === "")
    return noReply("it ended at its limit before the first word; allow more tokens");
  if (end === "limit" && whole) return noReply("it was cut at its limit; allow more tokens");
  if (text !== "") return { value: text };
  if (REASONING.some((name) => message?.[name])) return { ...noReply("only reasoning"), repeat: true };
  if (end !== "stop" || message?.content === undefined || message.content === null)
    return noReply(`no text, finish_reason ${shown(reason)}`);
  return { value: "" };
}

const noReply = (why: string): Fault => ({
  fault: `the answer holds no reply: ${why}`,
  repeat: false,
  refused: true,
});

/** The same end has another name with each maker. */
function endOf(reason: string): "stop" | "limit" | "filter" | "error" | "other" {
  const word = reason.toLowerCase();
  if (/^(?:stop|eos|eos_token|end_turn|stop_sequence|complete|completed|finish(?:ed)?|)$/.test(word)) return "stop";
  if (/filter|safety|sensitive|recitation|prohibited|blocklist|spii|refus|policy/.test(word)) return "filter";
  if (/length|limit|max_?(?:output_?)?tokens|truncated/.test(word)) return "limit";
  if (/error|fail|abort|insufficient|overload|unavailable|timeout|cancel/.test(word)) return "error";
  return "other";
}

function contentOf(message: z.infer<typeof messageSchema> | null | undefined): { text: string; refusal: string } {
  const { content, refusal } = message ?? {};
  const parts = typeof content === "string" ? [{ type: "text", text: content, refusal: undefined }] : (content ?? []);
  const isText = (type: string | undefined): boolean => (type ?? "text").endsWith("text");
  return {
    text: parts.map(({ type, text }) => (isText(type) ? (text ?? "") : "")).join(""),
    refusal: refusal || parts.map((part) => part.refusal ?? "").join(""),
  };
}

/** A block that never ends is thinking to the end. */
export function withoutThinking(reply: string): string {
  const end = reply.lastIndexOf("</think>");
  const rest = end < 0 ? reply : reply.slice(end + "</think>".length);
  const open = rest.indexOf("<think>");
  return open < 0 ? rest : rest.slice(0, open);
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 200));

const faultSchema = z.union([
  z.string().transform((message) => ({ message, code: undefined, type: undefined })),
  z.object({
    message: z.string().nullish(),
    code: z.union([z.string(), z.number()]).nullish(),
    type: z.string().nullish(),
  }),
]);

/** Statuses by which a server says that it will not serve what was asked: too large, not understood, not allowed as content. */
const refusals: ReadonlySet<number> = new Set([400, 413, 415, 422, 451]);
const aboutRequest =
  /filter|content_policy|refus|moderat|flagged|safety|context_length|too_long|too_large|above_max|invalid_request|bad_?request/i;
/** The key is wrong, which some say with status 400 and a type of bad requests. */
const aboutKey = /invalid_api_key|api_key_invalid|incorrect api key|api key not valid/i;
const aboutAccess = /api_?key|auth|permission|not_?found|quota|billing/i;

/**
 * What a status, and codes in words, say of a fault: it may pass, this request alone is refused, or the endpoint serves none.
 *
 * @param status NaN where only words are given
 */
export function meaningOf(status: number, words: readonly unknown[]): Pick<Fault, "repeat" | "refused"> {
  const says = (pattern: RegExp): boolean => words.some((word) => typeof word === "string" && pattern.test(word));
  if (status === 408 || status === 429 || status >= 500) return { repeat: true };
  if (status !== 403 && says(aboutKey)) return { repeat: false };
  if (refusals.has(status) || ((Number.isNaN(status) || status === 403) && says(aboutRequest)))
    return { repeat: false, refused: true };
  return { repeat: Number.isNaN(status) && !says(aboutAccess) };
}

function upstreamFault(error: unknown): Fault {
  const { code, message, type } = faultSchema.safeParse(error).data ?? {};
  const named = code === undefined || code === null ? "" : ` ${String(code).slice(0, 40)}`;
  const status = Number(code ?? Number.NaN);
  const words = status === 403 ? [code, type, message] : [code, type];
  return {
    fault: `an error${named} inside of the answer: ${shown(message ?? type ?? "")}`,
    ...meaningOf(status, words),
  };
}

const sayings: ReadonlySet<string> = new Set(
  "message msg detail error_msg error_message status_msg base_resp".split(" "),
);

/** Some servers have a form of their own for what went wrong: then the address is right, and asking again may help. */
function noCompletion(answer: unknown, error?: z.ZodError): Fault {
  const advice = "no chat completion; check that the address ends where /chat/completions begins";
  if (typeof answer !== "object" || answer === null) return { fault: advice, repeat: false };
  if ("choices" in answer) {
    const [issue] = error?.issues ?? [];
    return { fault: `no chat completion: ${issue?.path.join(".")}: ${issue?.message}`, repeat: false };
  }
  const said = Object.entries(answer).flatMap(([name, value]) => {
    if (!sayings.has(name)) return [];
    if (typeof value !== "object" || value === null) return [value];
    return "role" in value ? [] : Object.values(value); // a message of another API
  });
  const words = said.filter((value) => typeof value === "string" && value !== "").join("; ");
  return words === "" ? { fault: advice, repeat: false } : { fault: `no reply but ${shown(words)}`, repeat: true };
}
