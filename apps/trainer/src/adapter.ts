// The adapter that commands work on.
import { adapterNames, type Device, openDevice } from "@iapo/tensor-core";
import { withoutChatter } from "./driver-chatter.ts";

/** @throws TensorError as `openDevice` */
export function openAdapter(): Promise<Device> {
  return withoutChatter(() => openDevice());
}

/** Name and backend of each adapter. */
export function listAdapters(): Promise<string[]> {
  return withoutChatter(adapterNames);
}
