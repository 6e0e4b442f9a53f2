// The adapter that commands work on: chosen by the options of the command line.
import { adapterNames, type Device, openDevice } from "@iapo/tensor-core";
import { withoutChatter } from "./driver-chatter.ts";

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

/** @throws TensorError as `openDevice` */
export function openAdapter(): Promise<Device> {
  return withoutChatter(() => openDevice());
}

/** Name and backend of each adapter. */
export function listAdapters(): Promise<string[]> {
  return withoutChatter(adapterNames);
}
