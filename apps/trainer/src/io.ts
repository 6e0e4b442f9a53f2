// What a command may say, and how it hears that it should stop.

export interface CliIo {
  /** Results, for standard output. Control characters are shown, not sent, here and in `note`. */
  out(text: string): void;
  /** As `out`, with the colors of a terminal: for text of this program's own making. Absent where standard output shows none. */
  readonly color?: ((text: string) => void) | undefined;
  /** Progress and errors, for standard error. */
  note(text: string): void;
  /** What a person answers; absent where nobody can be asked. */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
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
