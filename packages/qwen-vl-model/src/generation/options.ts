// What callers may ask of a generation, checked where it comes in.
import { z } from "zod";
import { QwenVLError } from "../error.ts";

const sampling = {
  // As tensor-core takes it; below, logits over temperature are no numbers any more.
  temperature: z.union([z.literal(0), z.number().min(1e-30)], { error: "expected 0, or a number of at least 1e-30" }),
  topK: z.int().min(0).optional(),
  topP: z.number().gt(0).max(1).optional(),
  bias: z.instanceof(Map).optional(),
  repetitionPenalty: z.number().positive().optional(),
  bannedIds: z.array(z.int().min(0)).optional(),
};
const maxTokens = z.int().min(1);
const strings = z.array(z.string().min(1), { error: "expected a list of texts" }).optional();

const requestSchema = z.object({
  samples: z.int().min(1),
  sampling: z.object(sampling),
  stop: z.object({ ids: z.array(z.int()), strings, maxTokens }),
});

const generateSchema = z.strictObject({
  ...sampling,
  temperature: sampling.temperature.optional(),
  maxTokens: maxTokens.optional(),
  stop: strings,
  seed: z.int().optional(),
  signal: z.instanceof(AbortSignal).optional(),
});

/** @throws QwenVLError `option`, naming the option and what is expected */
export function checkRequest(request: unknown): void {
  check(requestSchema, request);
}

/** Of `QwenVL.generate`; names that are not known are refused too. @throws QwenVLError as `checkRequest` */
export function checkGenerateOptions(options: unknown): void {
  check(generateSchema, options);
}

function check(schema: z.ZodType, value: unknown): void {
  const { error } = schema.safeParse(value);
  if (!error) return;
  const faults = error.issues.map(({ path, message }) => `${path.join(".") || "options"}: ${message}`);
  throw new QwenVLError("option", faults.join("; "), { cause: error });
}
