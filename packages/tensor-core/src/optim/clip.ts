// Clipping by global norm, decided on the GPU: the step that follows reads the decision from a small buffer, so nothing waits for it.

import { noGrad } from "../autograd/tape.ts";
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { TensorError } from "../error.ts";
import { scope } from "../memory/scope.ts";
import { aligned } from "../ops/aligned.ts";
import { expectDType } from "../ops/define.ts";
import { globalNorm } from "../ops/global-norm.ts";
import { THREADS } from "../ops/wgsl.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";

const LARGEST_F32 = 3.4028234e38;

// Finiteness is read from the bits: adapters fold comparisons with NaN.
const decideKernel = defineKernel(() => ({
  name: "clip_decide",
  reads: { norm: "f32" },
  writes: { decision: "vec4f" },
  uniforms: { maxNorm: "f32" },
  code: /* wgsl */ `
@compute @workgroup_size(1)
fn main() {
  let finite = (bitcast<u32>(norm[0]) & 0x7f800000u) != 0x7f800000u;
  decision[0] = vec4f(norm[0], min(1.0, P.maxNorm / (norm[0] + 1e-6)), select(0.0, 1.0, finite), 0.0);
}`,
}));

/** Tensors that one dispatch looks through. */
const AT_ONCE = 4;
const watched = Array.from({ length: AT_ONCE }, (_, i) => i);

// One workgroup, whose threads look for exponents of ones: those of NaN and infinity.
const requireKernel = defineKernel(() => ({
  name: "clip_require",
  reads: Object.fromEntries(watched.map((i) => [`x${i}`, "u32" as const])),
  writes: { decision: "vec4f" },
  uniforms: Object.fromEntries(watched.map((i) => [`size${i}`, "u32" as const])),
  code: /* wgsl */ `
var<workgroup> found: array<u32, ${THREADS}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(local_invocation_index) lane: u32) {
  var own = 0u;
  ${watched.map((i) => `for (var k = lane; k < P.size${i}; k += ${THREADS}u) { own |= select(0u, 1u, (x${i}[k] & 0x7f800000u) == 0x7f800000u); }`).join("\n  ")}
  found[lane] = own;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var k = 1u; k < ${THREADS}u; k++) { own |= found[k]; }
  if (own != 0u) { decision[0].z = 0.0; }
}`,
}));

/**
 * What a step is to do with its gradients: f32 [4], (global norm, factor for the gradients, 1 if the norm is finite else 0, unused). The factor is
 * `min(1, maxNorm / (norm + 1e-6))`, as in PyTorch's `clip_grad_norm_`; the gradients stay as they are, `AdamW.step` applies it.
 * A norm is not finite where a gradient is NaN or infinite, or the sum of squares passes f32's range. `maxNorm` may be Infinity.
 * Where an element of `alsoFinite` (f32, such as the log-probs) is NaN or infinite, the decision is the same as for such a norm.
 * Throws `argument` for no gradients or a `maxNorm` that is not above 0, `dtype` for gradients that are not f32.
 */
export function clipByGlobalNorm(
  gradients: readonly Tensor[],
  maxNorm: number,
  alsoFinite: readonly Tensor[] = [],
): Tensor {
  const device = gradients[0]?.device;
  if (!device) throw new TensorError("argument", "clipByGlobalNorm needs at least one gradient");
  if (!(maxNorm > 0)) throw new TensorError("argument", `clipByGlobalNorm: maxNorm must be above 0, not ${maxNorm}`);
  const parts = gradients.flatMap((gradient) => gradient.parts().map(({ tensor }) => tensor));
  return scope(() => {
    const norm = noGrad(() => globalNorm(parts));
    const decision = device.empty([4]);
    device.dispatch(decideKernel(), {
      reads: [norm],
      writes: [decision],
      uniforms: [Math.min(maxNorm, LARGEST_F32)],
      groups: [1],
    });
    norm.dispose();
    requireFinite(device, alsoFinite, decision);
    return decision;
  });
}

/** Clears the decision's flag where an element of `tensors` is NaN or infinite. */
function requireFinite(device: Device, tensors: readonly Tensor[], decision: Tensor): void {
  const copies: Tensor[] = []; // freed by the scope of the decision
  const parts = tensors.flatMap((tensor) => tensor.parts()).map(({ tensor }) => aligned(tensor, copies));
  for (const tensor of parts) expectDType("clipByGlobalNorm", tensor, "f32");
  for (let first = 0; first < parts.length; first += AT_ONCE) {
    const some = parts.slice(first, first + AT_ONCE);
    const none = AT_ONCE - some.length;
    device.dispatch(requireKernel(), {
      reads: [...some, ...new Array<Tensor>(none).fill(at(some, 0))],
      writes: [decision],
      uniforms: [...some.map(({ size }) => size), ...new Array<number>(none).fill(0)],
      groups: [1],
    });
  }
}

/** A clipping decision, read back. */
export interface ClipDecision {
  readonly norm: number;
  /** What the gradients were multiplied by. */
  readonly factor: number;
  /** False: the step was skipped. */
  readonly finite: boolean;
}

/** Reads what `clipByGlobalNorm` decided. */
export async function readClipDecision(decision: Tensor): Promise<ClipDecision> {
  const values = await decision.values();
  return { norm: at(values, 0), factor: at(values, 1), finite: at(values, 2) === 1 };
}
