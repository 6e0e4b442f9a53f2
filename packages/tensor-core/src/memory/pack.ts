// Many small tensors in few buffers: a kernel can take each alone, and those that lie side by side at once where it treats every element by itself.
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { byteLengthOf, bytesPerElement, type DType } from "../dtype.ts";
import { TensorError } from "../error.ts";
import { emptyLike } from "../ops/fill.ts";
import { type Storage, Tensor } from "../tensor.ts";
import { sharing } from "./stack.ts";

/** Bytes of a buffer that tensors share, and of what is taken together, in f32. */
const MOST_SHARED = 2 ** 25;
const most = ({ facts }: Device): number => Math.min(MOST_SHARED, facts.maxBinding);

/** Of buffers that tensors share with nothing but gaps between them: elements from one place where a tensor can begin to the next. */
const pitches = new WeakMap<Storage, number>();

/**
 * A tensor for each shape of `groups`, contents undefined, each where a binding can begin. Those of a group lie in one buffer, which they share with
 * others, and touch where they can. Throws `limit` where a tensor alone passes a binding's limit.
 */
export function emptyPack(
  device: Device,
  groups: readonly (readonly (readonly number[])[])[],
  dtype: DType,
): readonly Tensor[] {
  const { offsetAlignment, maxBinding } = device.facts;
  const large = groups.flat().find((shape) => byteLengthOf(shape, dtype) > maxBinding);
  if (large)
    throw new TensorError("limit", `[${large.join(", ")}] takes more than one binding may span (${maxBinding} bytes)`);
  const aligned = (bytes: number): number => Math.ceil(bytes / offsetAlignment) * offsetAlignment;
  const made: Tensor[] = [];
  let [shapes, starts, end]: [(readonly number[])[], number[], number] = [[], [], 0];
  const close = (): void => {
    if (shapes.length === 0) return;
    const tensors = sharing(device, aligned(end), shapes, starts, dtype);
    pitches.set(at(tensors, 0).storage, offsetAlignment / bytesPerElement[dtype]);
    made.push(...tensors);
    [shapes, starts, end] = [[], [], 0];
  };
  for (const group of groups) {
    const bytes = group.reduce((sum, shape) => aligned(sum) + byteLengthOf(shape, dtype), 0);
    if (aligned(end) + bytes > most(device)) close();
    for (const shape of group) {
      starts.push(aligned(end));
      shapes.push(shape);
      end = aligned(end) + byteLengthOf(shape, dtype);
    }
  }
  close();
  return made;
}

/** f32 tensors of the shapes and shards of `tensors`, contents undefined; of neighbors, neighbors at the same distances. */
export function emptyAlike(tensors: readonly Tensor[]): readonly Tensor[] {
  const made = new Map<number, Tensor>();
  for (const run of neighbors([tensors])) for (const [i, tensor] of emptyRun(tensors, run)) made.set(i, tensor);
  return tensors.flatMap((_, i) => made.get(i) ?? []);
}

/** By place, the f32 tensors of one run of `tensors`. */
export function emptyRun(tensors: readonly Tensor[], run: readonly number[]): [place: number, tensor: Tensor][] {
  const [first, last] = [at(tensors, at(run, 0)), at(tensors, at(run, run.length - 1))];
  if (first === last) return [[at(run, 0), emptyLike(first)]];
  const members = run.map((place) => at(tensors, place));
  const starts = members.map((tensor) => 4 * (elementsAt(tensor) - elementsAt(first)));
  const shapes = members.map(({ shape }) => shape);
  const made = sharing(first.device, at(starts, starts.length - 1) + 4 * last.size, shapes, starts, "f32");
  const pitch = pitches.get(first.storage);
  if (pitch !== undefined) pitches.set(at(made, 0).storage, pitch);
  return run.map((place, i) => [place, at(made, i)]);
}

/**
 * The places of tensors in `lists`, whose k-th entries belong together, in runs: those of a run lie one behind the other in every list, at the same
 * distances and with nothing of anyone else's between, and `alike` says that they may be taken together. Order within the lists does not matter.
 */
export function neighbors(
  lists: readonly (readonly Tensor[])[],
  alike: (one: number, next: number) => boolean = () => true,
): number[][] {
  const places = (lists[0] ?? []).map((tensor, place) => ({ place, tensor }));
  const order = (tensor: Tensor): readonly [number, number] =>
    tensor.isWhole ? [tensor.storage.id, tensor.byteOffset] : [Number.POSITIVE_INFINITY, 0];
  places.sort((one, other) => {
    const [a, b] = [order(one.tensor), order(other.tensor)];
    return a[0] === b[0] ? a[1] - b[1] : a[0] - b[0];
  });
  const runs: { places: number[]; elements: number }[] = [];
  for (const { place, tensor } of places) {
    const run = runs.at(-1);
    const before = run?.places.at(-1);
    if (run && before !== undefined) {
      const gaps = lists.map((list) => gapBetween(list[before], list[place]));
      const gap = gaps[0];
      const elements = run.elements + (gap ?? 0) + tensor.size;
      const fits = gap !== undefined && gaps.every((other) => other === gap) && 4 * elements <= most(tensor.device);
      if (fits && alike(before, place)) {
        run.places.push(place);
        run.elements = elements;
        continue;
      }
    }
    runs.push({ places: [place], elements: tensor.size });
  }
  return runs.map((run) => run.places);
}

/** Tensors of a run of `list`, its first to its last with what lies between, as one: of one dimension, on no tape. A lone tensor is what it was. */
export function spanOf(list: readonly Tensor[], run: readonly number[]): Tensor {
  const [first, last] = [at(list, at(run, 0)), at(list, at(run, run.length - 1))];
  if (first === last) return first.alias();
  const { device, dtype, storage, byteOffset } = first;
  const size = elementsAt(last) - elementsAt(first) + last.size;
  return new Tensor(device, [size], dtype, { storage, byteOffset });
}

/** Elements between two tensors, where the second begins as soon behind the first as it can. */
function gapBetween(one: Tensor | undefined, next: Tensor | undefined): number | undefined {
  if (!one?.isWhole || !next?.isWhole || one.dtype !== next.dtype || one.storage !== next.storage) return undefined;
  const distance = elementsAt(next) - elementsAt(one);
  if ((4 * distance) % one.device.facts.offsetAlignment !== 0) return undefined; // no f32 twin could be bound there
  const gap = distance - one.size;
  return gap === 0 || (gap > 0 && gap < (pitches.get(one.storage) ?? 0)) ? gap : undefined;
}

function elementsAt({ byteOffset, dtype }: Tensor): number {
  return byteOffset / bytesPerElement[dtype];
}
