// When a response ends: by id, by text, or by length.

export type FinishReason = "stop" | "length";

export interface StopRules {
  /** A response ends with, and includes, the first of these ids. */
  readonly ids: readonly number[];
  /** A response ends with the token that completes one of these texts. Needs `decode`. */
  readonly strings?: readonly string[] | undefined;
  /** Text of token ids; incomplete UTF-8 at the end may be left out. */
  readonly decode?: ((ids: ArrayLike<number>) => string) | undefined;
  readonly maxTokens: number;
}

/** Tokens of the response that `sampled` begins with, and why it ends there; undefined while it goes on. `from`: tokens judged before. */
export function findEnd(
  sampled: Int32Array,
  from: number,
  rules: StopRules,
): { count: number; reason: FinishReason } | undefined {
  let count = from;
  for (const id of sampled.subarray(from)) {
    count++;
    if (rules.ids.includes(id) || endsInString(sampled.subarray(0, count), rules)) return { count, reason: "stop" };
    if (count >= rules.maxTokens) return { count, reason: "length" };
  }
  return undefined;
}

/** Tokens before the end that a stop text may span: it cannot be longer in tokens than in bytes. */
function endsInString(tokens: Int32Array, { strings, decode }: StopRules): boolean {
  if (!strings || strings.length === 0 || !decode) return false;
  const longest = Math.max(...strings.map((text) => new TextEncoder().encode(text).length));
  const tail = decode(tokens.subarray(-longest - 1));
  return strings.some((text) => tail.includes(text));
}
