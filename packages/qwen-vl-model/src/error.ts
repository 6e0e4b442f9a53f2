// The one error class of this package.
/**
 * Stable across releases:
 * - `config`: a configuration file is missing, malformed, or asks for what this package does not do.
 * - `tensors`: the tensors of a checkpoint are not those that its configuration asks for.
 * - `tokenizer`: a tokenizer file that is malformed or of another kind than Qwen's.
 * - `template`: a chat template that fails, or from which the blocks' tokens cannot be told apart.
 * - `prompt`: a conversation that cannot be encoded as given.
 * - `option`: an option of a generation is out of its range, or unknown.
 * - `session`: a session is used out of turn: twice at once, again without what follows, or closed.
 * - `not_finite`: the model's logits hold NaN or infinity.
 * - `image`: an image or image file that cannot be used.
 * - `video`: video input, which is not supported.
 * - `positions`: token ids and image grids that do not belong together.
 * - `hub_id`: not a repository id or an existing directory.
 * - `hub_access`: the hub refused access (401, 403).
 * - `hub_not_found`: no such repository, revision or file.
 * - `hub_network`: the hub could not be reached or answered with an error.
 * - `hub_corrupt`: a download is not what the hub announced.
 * - `hub_offline`: offline, and the cache does not hold the whole model.
 * - `export`: an exported directory does not give the numbers of the model in memory.
 * - `io`: a local file could not be read or written.
 */
export type QwenVLErrorCode =
  | "config"
  | "tensors"
  | "tokenizer"
  | "template"
  | "prompt"
  | "option"
  | "session"
  | "not_finite"
  | "image"
  | "video"
  | "positions"
  | "hub_id"
  | "hub_access"
  | "hub_not_found"
  | "hub_network"
  | "hub_corrupt"
  | "hub_offline"
  | "export"
  | "io";

/** Every error this package throws on purpose. */
export class QwenVLError extends Error {
  override readonly name = "QwenVLError";
  readonly code: QwenVLErrorCode;

  constructor(code: QwenVLErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The text of whatever was thrown, and of what caused it as far as that says more: "fetch failed: connect ECONNREFUSED 127.0.0.1:1". */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const causes = [thrown.cause, ...(thrown instanceof AggregateError ? thrown.errors : [])];
  const reasons = causes.filter((cause) => cause instanceof Error).map(reasonOf);
  return [thrown.message, ...reasons].reduce((text, reason) => {
    if (text === "" || text.includes(reason)) return text || reason;
    return `${text}: ${reason}`;
  });
}
