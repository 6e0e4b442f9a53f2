// What a checkpoint holds, copied to the host beside the work that goes on: who interrupts a step does not wait for the device to read it back.
import type { Device } from "@iapo/tensor-core";
import type { CheckpointTensors } from "./checkpoints.ts";
import type { HostTensor, NamedTensors } from "./tensors.ts";

/** Of what is copied; more takes longer than an interrupt may wait. */
const MOST_BYTES = 2 ** 28;

export interface KeptTensors {
  readonly parameters: ReadonlyMap<string, HostTensor>;
  readonly optimizer: ReadonlyMap<string, HostTensor>;
}

/**
 * The values of the tensors as they are when this is called. Undefined where a copy does not pay: on a card, whose work under way is short; where
 * there is too much of it; and where the device fails, which is heard where it is used next.
 */
export async function keptTensors(device: Device, given: CheckpointTensors): Promise<KeptTensors | undefined> {
  const parts = [...given.parameters.values(), ...given.optimizer.values()].flatMap((tensor) => tensor.parts());
  const bytes = parts.reduce((sum, { tensor }) => sum + tensor.bytes, 0);
  if (!device.facts.software || bytes > Math.min(MOST_BYTES, device.facts.maxBinding)) return undefined;
  try {
    const all = device.empty([bytes / Float32Array.BYTES_PER_ELEMENT]);
    let end = 0;
    for (const { tensor } of parts) {
      device.copyBytes(tensor, 0, all, end, tensor.bytes);
      end += tensor.bytes;
    }
    const reading = device.readBytes(all.storage, all.byteOffset, bytes);
    all.dispose();
    return slices(new Float32Array(await reading), given);
  } catch {
    return undefined;
  }
}

function slices(read: Float32Array, given: CheckpointTensors): KeptTensors {
  let start = 0;
  const take = (tensors: NamedTensors) =>
    new Map(
      Array.from(tensors, ([name, { shape, size }]) => {
        const values = read.subarray(start, start + size);
        start += size;
        return [name, { shape, values }] as const;
      }),
    );
  return { parameters: take(given.parameters), optimizer: take(given.optimizer) };
}

export function areFinite({ parameters, optimizer }: KeptTensors): boolean {
  return [...parameters.values(), ...optimizer.values()].every(({ values }) => values.every(Number.isFinite));
}
