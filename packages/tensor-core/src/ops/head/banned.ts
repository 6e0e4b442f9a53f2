// The set of banned ids as a bit mask on the device: one definition for the head and for sampling.
import { at } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";

/** A bit for each id of the vocabulary, 32 to a word (u32), set where it is banned. Throws `argument` for an id outside it, or if all are banned. */
export function bannedMask(device: Device, vocabulary: number, bannedIds: Iterable<number>): Tensor {
  const words = new Uint32Array(Math.ceil(vocabulary / 32));
  const ids = new Set(bannedIds);
  for (const id of ids) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
      throw new TensorError("argument", `banned id ${id} is not in a vocabulary of ${vocabulary}`);
    words[id >>> 5] = at(words, id >>> 5) | (1 << (id & 31));
  }
  if (vocabulary > 0 && ids.size >= vocabulary)
    throw new TensorError("argument", `all ${vocabulary} ids are banned: nothing is left to choose`);
  return device.tensor(words, [words.length]);
}

/** `fn is_banned(id) -> bool` over the array `banned`. */
export const bannedWgsl: string = /* wgsl */ `
fn is_banned(id: u32) -> bool {
  return ((banned[id >> 5u] >> (id & 31u)) & 1u) != 0u;
}`;
