// Constant tensors. Not an op of the registry: it has no inputs.
import type { Device } from "../device/device.ts";
import type { DType } from "../dtype.ts";
import { defineKernel } from "../submit/kernel.ts";
import { Tensor } from "../tensor.ts";
import { grid, perItemHead } from "./wgsl.ts";

const kernel = defineKernel((wide: boolean) => ({
  name: `fill${wide ? "/vec4" : ""}`,
  reads: {},
  writes: { out: wide ? "vec4u" : "u32" },
  uniforms: { items: "u32", value: "u32" },
  code: `${perItemHead}
  if (i < P.items) { out[i] = ${wide ? "vec4u(P.value)" : "P.value"}; }
}`,
}));

/** A tensor of `shape` with every element `value`; sharded by rows as `like` is, where that is given. bf16 takes 0 only. */
export function fill(
  device: Device,
  shape: readonly number[],
  value: number,
  like?: Tensor,
  dtype: DType = "f32",
): Tensor {
  if (like?.shards) {
    const shards = like.shards.map((shard) => fill(device, shard.shape, value, undefined, dtype));
    return new Tensor(device, shape, dtype, { shards });
  }
  const out = device.empty(shape, dtype);
  fillInto(out, value);
  return out;
}

/** An f32 tensor of the shape and shards of `like`, its contents undefined. */
export function emptyLike({ device, shape, shards }: Tensor): Tensor {
  if (!shards) return device.empty(shape);
  return new Tensor(device, shape, "f32", { shards: shards.map((shard) => device.empty(shard.shape)) });
}

/** Sets every element of `target` in place; not sharded. */
export function fillInto(target: Tensor, value: number): void {
  const { device, dtype } = target;
  const words = Math.ceil(target.bytes / 4);
  const wide = words % 4 === 0;
  const items = wide ? words / 4 : words;
  device.dispatch(kernel(wide), {
    reads: [],
    writes: [target],
    uniforms: [items, wordOf(value, dtype)],
    groups: grid(device, items),
  });
}

function wordOf(value: number, dtype: DType): number {
  if (dtype === "f32") return new DataView(Float32Array.of(value).buffer).getUint32(0, true);
  return value >>> 0;
}
