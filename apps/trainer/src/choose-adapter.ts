// The options of the command line that choose the adapter and its kernels.
import type { KernelFamily } from "@iapo/tensor-core";

/** Of the whole command line; all reach the programs that a command starts, too. */
export interface AdapterFlags {
  readonly adapter?: string;
  /** Bytes. */
  readonly memory?: number;
  readonly family?: KernelFamily;
}

export function chooseAdapter({ adapter, memory, family }: AdapterFlags): void {
  if (adapter !== undefined) process.env.IAPO_ADAPTER = adapter;
  if (memory !== undefined) process.env.IAPO_MEMORY = String(memory / 2 ** 30);
  if (family !== undefined) process.env.IAPO_FAMILY = family;
}
