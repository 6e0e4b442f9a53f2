// Projections of the model: weight, bias where there is one, and the adapter where one is on.
import {
  add,
  addScaled,
  linear,
  linearInt8,
  linearSideBySide,
  scope,
  siluGate,
  siluGateHalves,
  type Tensor,
} from "@iapo/tensor-core";
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

/** `residual` and the projection, added. */
export function projectOnto(parameters: ModelParameters, name: string, x: Tensor, residual: Tensor): Tensor {
  return projectTogether(parameters, [name], x, residual) ?? add(residual, project(parameters, name, x));
}

/** Projections of the same rows side by side, to the bits of `project`; undefined where an adapter is at one of them, or a weight is not whole or in eight bits. */
export function projectTogether(
  { weights, adapter }: ModelParameters,
  names: readonly string[],
  x: Tensor,
  residual?: Tensor,
): Tensor | undefined {
  const all = names.map((name) => weights.weight(`${name}.weight`));
  const biased = names.filter((name) => weights.has(`${name}.bias`));
  const isPlain = all.every(({ run, scales }) => !scales && !run.shards);
  if (!isPlain || biased.length % names.length !== 0 || names.some((name) => adapter?.pairs.has(name)))
    return undefined;
  const biases = biased.map((name) => weights.get(`${name}.bias`));
  return linearSideBySide(
    x,
    all.map(({ run }) => run),
    { biases, residual },
  );
}

/** `silu(gate) * up` of the projections of a SwiGLU layer. */
export function gatedUp(parameters: ModelParameters, name: string, x: Tensor): Tensor {
  const [gate, up] = [`${name}.gate_proj`, `${name}.up_proj`];
  const width = parameters.weights.get(`${gate}.weight`).shape[0] ?? 0;
  const together = width % 4 === 0 ? projectTogether(parameters, [gate, up], x) : undefined;
  return together ? siluGateHalves(together) : siluGate(project(parameters, gate, x), project(parameters, up, x));
}
