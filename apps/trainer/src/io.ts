// What a command may say, and how it hears that it should stop.

export interface CliIo {
  /** Results, for standard output. */
  out(text: string): void;
  /** Progress and errors, for standard error. */
  note(text: string): void;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
}
