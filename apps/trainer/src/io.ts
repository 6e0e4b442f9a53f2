// What a command may say, and how it hears that it should stop.

export interface CliIo {
  /** Results, for standard output. */
  out(text: string): void;
  /** Progress and errors, for standard error. */
  note(text: string): void;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  /** Standard error, where it is a terminal and progress is wanted. */
  readonly terminal?: Terminal | undefined;
}

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
  /** Returns what ends the listening. */
  onResize(listener: () => void): () => void;
}
