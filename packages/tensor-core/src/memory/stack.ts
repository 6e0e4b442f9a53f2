// Matrices that lie one behind the other in one buffer: a kernel can take each alone, and all of them as one matrix of all their rows.
import type { Device } from "../device/device.ts";
import { byteLengthOf, type DType } from "../dtype.ts";
import { Storage, Tensor } from "../tensor.ts";

/** A tensor of `[rows, ...]` for each of `shapes`, contents undefined, so that `stackOf` joins them; undefined where a binding could not begin at each, or span all. */
export function emptyStack(
  device: Device,
  shapes: readonly (readonly number[])[],
  dtype: DType,
): readonly Tensor[] | undefined {
  const { offsetAlignment, maxBinding } = device.facts;
  const starts: number[] = [];
  let bytes = 0;
  for (const shape of shapes) {
    starts.push(bytes);
    bytes += byteLengthOf(shape, dtype);
  }
  if (starts.some((start) => start % offsetAlignment !== 0) || bytes > maxBinding || bytes % 4 !== 0) return undefined;
  return sharing(device, bytes, shapes, starts, dtype);
}

/** Tensors of one new buffer, contents undefined: each begins at its entry of `starts`, in bytes. */
export function sharing(
  device: Device,
  bytes: number,
  shapes: readonly (readonly number[])[],
  starts: readonly number[],
  dtype: DType,
): readonly Tensor[] {
  const storage = new Storage(device, Math.max(bytes, 16));
  return shapes.map((shape, i) => new Tensor(device, shape, dtype, { storage, byteOffset: starts[i] ?? 0 }));
}

/** Tensors that lie one behind the other in one buffer as one, their first dimensions joined; undefined where they do not. Not on any tape. */
export function stackOf(tensors: readonly Tensor[]): Tensor | undefined {
  const [first] = tensors;
  if (!first || tensors.some(({ shards }) => shards)) return undefined;
  const { device, dtype, storage, byteOffset } = first;
  const rest = first.shape.slice(1);
  let rows = 0;
  let end = byteOffset;
  for (const tensor of tensors) {
    const fits = tensor.dtype === dtype && String(tensor.shape.slice(1)) === String(rest);
    if (!fits || tensor.storage !== storage || tensor.byteOffset !== end) return undefined;
    rows += tensor.shape[0] ?? 0;
    end += tensor.bytes;
  }
  return new Tensor(device, [rows, ...rest], dtype, { storage, byteOffset });
}
