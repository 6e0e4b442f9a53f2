// One projection of the model: weight, bias where there is one, and the adapter where one is on.
import { addScaled, linear, linearInt8, scope, type Tensor } from "@iapo/tensor-core";
import type { Adapter } from "../lora/adapter.ts";
import type { Weights } from "../weights/weights.ts";

/** What a forward pass reads. */
export interface ModelParameters {
  readonly weights: Weights;
  /** Undefined: the base model, which is the reference policy of a LoRA run. */
  readonly adapter?: Adapter | undefined;
}

/** `x W^T + b`, plus `scale * (x A^T) B^T` where the adapter targets this projection. x is `[rows, in]`. */
export function project({ weights, adapter }: ModelParameters, name: string, x: Tensor): Tensor {
  const bias = weights.has(`${name}.bias`) ? weights.get(`${name}.bias`) : undefined;
  const { run, scales } = weights.weight(`${name}.weight`);
  const base = (): Tensor => (scales ? linearInt8(x, { values: run, scales }, bias) : linear(x, run, bias));
  const pair = adapter?.pairs.get(name);
  if (!pair) return base();
  // Without a scope of their own, the base and the two products before the last sum would live until the layer ends.
  return scope(() => addScaled(base(), linear(linear(x, pair.a.run), pair.b.run), pair.scale));
}
