// In-place accumulation of gradients. Not an op of the registry: it changes its argument and is never on a tape.
import { at } from "../checked.ts";
import { TensorError } from "../error.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { aligned } from "./aligned.ts";
import { grid, perItemHead } from "./wgsl.ts";

const kernel = defineKernel((wide: boolean) => ({
  name: `add_into${wide ? "/vec4" : ""}`,
  reads: { addend: wide ? "vec4f" : "f32" },
  writes: { sum: wide ? "vec4f" : "f32" },
  uniforms: { size: "u32" },
  code: `${perItemHead}
  if (i < P.size) { sum[i] = sum[i] + addend[i]; }
}`,
}));

/** `target += addend`, element by element; f32, equal sizes, sharded alike or not at all. */
export function addInto(target: Tensor, addend: Tensor): void {
  if (target.size !== addend.size || (target.shards?.length ?? 1) !== (addend.shards?.length ?? 1)) {
    throw new TensorError("shape", `addInto: ${addend} does not fit ${target}`);
  }
  const { device } = target;
  const parts = addend.parts();
  target.parts().forEach(({ tensor }, k) => {
    const temporary: Tensor[] = [];
    const read = aligned(at(parts, k).tensor, temporary);
    const wide = tensor.size % 4 === 0;
    const items = wide ? tensor.size / 4 : tensor.size;
    device.dispatch(kernel(wide), { reads: [read], writes: [tensor], uniforms: [items], groups: grid(device, items) });
    for (const t of temporary) t.dispose();
  });
}
