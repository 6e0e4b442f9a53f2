// What a request is refused with, in the form that clients of OpenAI's API read.

export class ServeError extends Error {
  override readonly name = "ServeError";
  readonly status: 400 | 401 | 404 | 413 | 415 | 421 | 500;
  readonly code: string;
  readonly param: string | null;

  constructor(status: ServeError["status"], code: string, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }

  get body(): object {
    const type = this.status === 500 ? "server_error" : "invalid_request_error";
    return { error: { message: this.message, type, param: this.param, code: this.code } };
  }
}
