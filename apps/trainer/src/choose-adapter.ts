// The options of the command line that choose the adapter.

/** Of the whole command line; both reach the programs that a command starts, too. */
export interface AdapterFlags {
  readonly adapter?: string;
  /** Bytes. */
  readonly memory?: number;
}

export function chooseAdapter({ adapter, memory }: AdapterFlags): void {
  if (adapter !== undefined) process.env.IAPO_ADAPTER = adapter;
  if (memory !== undefined) process.env.IAPO_MEMORY = String(memory / 2 ** 30);
}
