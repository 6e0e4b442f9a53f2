// The set of banned ids as a bit mask on the device: one definition for the head and for sampling.
import { at } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";

/** @throws TensorError `argument` for an id outside the vocabulary, or if all are banned */
export function checkBannedIds(vocabulary: number, bannedIds: Iterable<number>): ReadonlySet<number> {
  const ids = new Set(bannedIds);
  for (const id of ids)
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
      throw new TensorError("argument", `banned id ${id} is not in a vocabulary of ${vocabulary}`);
  if (vocabulary > 0 && ids.size >= vocabulary)
    throw new TensorError("argument", `all ${vocabulary} ids are banned: nothing is left to choose`);
  return ids;
}

/** A bit for each id of the vocabulary, 32 to a word (u32), set where it is banned. Throws as {@link checkBannedIds}. */
export function bannedMask(device: Device, vocabulary: number, bannedIds: Iterable<number>): Tensor {
  const words = new Uint32Array(Math.ceil(vocabulary / 32));
  for (const id of checkBannedIds(vocabulary, bannedIds)) words[id >>> 5] = at(words, id >>> 5) | (1 << (id & 31));
  return device.tensor(words, [words.length]);
}

/** `fn is_banned(id) -> bool` over the array `banned`. */
export const bannedWgsl: string = /* wgsl */ `
fn is_banned(id: u32) -> bool {
  return ((banned[id >> 5u] >> (id & 31u)) & 1u) != 0u;
}`;
