/** What `iapo report` refuses: `not_a_run` no run is there; `invalid` a file of it is damaged or of another kind. */
export class ReportError extends Error {
  readonly code: "not_a_run" | "invalid";

  constructor(code: ReportError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ReportError";
    this.code = code;
  }
}
