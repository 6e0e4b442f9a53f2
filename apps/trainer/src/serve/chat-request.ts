// What a chat completion may ask for, in the fields of OpenAI's API and two of vLLM's. A field that would be ignored is refused by name.
import type { RawImage } from "@iapo/rollout-trace";
import { readImage } from "@iapo/visual-tools/sharp";
import { z } from "zod";
import { ServeError } from "./serve-error.ts";

/** A picture of more pixels is refused before it is decoded. */
const MOST_PIXELS = 2 ** 24;
const MOST_MESSAGES = 1024;

const textPart = z.strictObject({ type: z.literal("text"), text: z.string() });
const imagePart = z.strictObject({
  type: z.literal("image_url"),
  image_url: z.strictObject({ url: z.string(), detail: z.enum(["auto", "low", "high"]).optional() }),
});
const messageSchema = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([z.string(), z.array(z.union([textPart, imagePart])).min(1)]),
  name: z.string().optional(),
});

/** Fields that are taken where they ask for nothing. */
const none = {
  frequency_penalty: z.literal(0).nullish(),
  presence_penalty: z.literal(0).nullish(),
  logit_bias: z.strictObject({}).nullish(),
  tools: z.array(z.never()).nullish(),
  tool_choice: z.enum(["none", "auto"]).nullish(),
  response_format: z.strictObject({ type: z.literal("text") }).nullish(),
  store: z.literal(false).nullish(),
};
/** Fields that say who asks. */
const notes = { user: z.string().nullish(), metadata: z.record(z.string(), z.string()).nullish() };

const requestSchema = z.strictObject({
  model: z.string(),
  messages: z.array(messageSchema).min(1).max(MOST_MESSAGES),
  n: z.int().min(1).max(128).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(-1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(16)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  return_token_ids: z.boolean().nullish(),
  ...none,
  ...notes,
});

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly samples: number;
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly seed: number | undefined;
  readonly stop: readonly string[];
  readonly stream: boolean;
  readonly usageInStream: boolean;
  readonly logProbs: boolean;
  /** Likeliest tokens beside each, with `logProbs`. */
  readonly topLogProbs: number;
  readonly tokenIds: boolean;
}

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: readonly ({ readonly text: string } | { readonly image: RawImage })[];
}

/** @throws ServeError 400 naming the field and what is expected */
export async function readChatRequest(body: unknown): Promise<ChatRequest> {
  const parsed = requestSchema.safeParse(body);
  if (!parsed.success) throw refusal(parsed.error);
  const { model, n, max_tokens, max_completion_tokens, temperature, top_p, top_k, seed, stop, stream } = parsed.data;
  const topLogProbs = parsed.data.top_logprobs ?? 0;
  if (topLogProbs > 0 && !parsed.data.logprobs)
    throw new ServeError(400, "invalid_value", "top_logprobs: it goes with logprobs: true", "top_logprobs");
  const messages: Message[] = [];
  for (const [i, { role, content }] of parsed.data.messages.entries()) {
    const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
    const read = parts.map(async (part, k) =>
      part.type === "text"
        ? { text: part.text }
        : { image: await pictureOf(part.image_url.url, `messages.${i}.content.${k}.image_url.url`) },
    );
    messages.push({ role: role === "developer" ? "system" : role, content: await Promise.all(read) });
  }
  return {
    model,
    messages,
    samples: n ?? 1,
    maxTokens: max_completion_tokens ?? max_tokens ?? undefined,
    temperature: temperature ?? undefined,
    topP: top_p ?? undefined,
    topK: top_k === null || top_k === undefined || top_k <= 0 ? undefined : top_k,
    seed: seed ?? undefined,
    stop: typeof stop === "string" ? [stop] : (stop ?? []),
    stream: stream ?? false,
    usageInStream: parsed.data.stream_options?.include_usage ?? false,
    logProbs: parsed.data.logprobs ?? false,
    topLogProbs,
    tokenIds: parsed.data.return_token_ids ?? false,
  };
}

function refusal({ issues }: z.ZodError): ServeError {
  const [issue] = issues;
  if (issue?.code === "unrecognized_keys") {
    const param = [...issue.path, issue.keys[0]].join(".");
    return new ServeError(400, "unsupported_parameter", `${param}: this server does not know it`, param);
  }
  const param = issue?.path.join(".") || "body";
  const isOff = param in none;
  const words = isOff ? "this server does not do it: leave it out" : issue?.message;
  return new ServeError(400, isOff ? "unsupported_parameter" : "invalid_value", `${param}: ${words}`, param);
}

/** Pictures come as data URLs: the server asks nobody for one. */
async function pictureOf(url: string, param: string): Promise<RawImage> {
  const [, data] = /^data:image\/[\w.+-]+;base64,([A-Za-z0-9+/=\s]+)$/.exec(url) ?? [];
  if (data === undefined)
    throw new ServeError(400, "invalid_image_url", `${param}: pictures come as data:image/...;base64,...`, param);
  try {
    return await readImage(Buffer.from(data, "base64"), { maxPixels: MOST_PIXELS });
  } catch (cause) {
    throw new ServeError(400, "invalid_image", `${param}: ${(cause as Error).message}`, param);
  }
}
