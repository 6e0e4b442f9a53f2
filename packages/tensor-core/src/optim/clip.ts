// Clipping by global norm, decided on the GPU: the step that follows reads the decision from a small buffer, so nothing waits for it.
import type { Device } from "../device/device.ts";
import { TensorError } from "../errors.ts";
import { aligned } from "../ops/aligned.ts";
import { THREADS } from "../ops/wgsl.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";

/** Partial sums of one tensor at most; each is one thread's, over elements a fixed stride apart. */
const MAX_PARTIALS = 4096;
const LARGEST_F32 = 3.4028234e38;

const squaresKernel = () =>
  defineKernel("clip_squares", () => ({
    reads: { gradient: "vec4f" },
    writes: { partials: "f32" },
    uniforms: { size: "u32", threads: "u32", start: "u32" },
    code: /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= P.threads) { return; }
  var sum = vec4f(0.0);
  for (var i = id.x; i < (P.size + 3u) / 4u; i += P.threads) {
    let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(P.size);
    let g = select(vec4f(0.0), gradient[i], inside);
    sum = fma(g, g, sum);
  }
  partials[P.start + id.x] = (sum.x + sum.y) + (sum.z + sum.w);
}`,
  }));

// One workgroup. Finiteness is read from the bits: adapters fold comparisons with NaN.
const decideKernel = () =>
  defineKernel("clip_decide", () => ({
    reads: { partials: "f32" },
    writes: { decision: "vec4f" },
    uniforms: { count: "u32", maxNorm: "f32" },
    code: /* wgsl */ `
var<workgroup> sums: array<f32, ${THREADS}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = local; i < P.count; i += ${THREADS}u) { sum += partials[i]; }
  sums[local] = sum;
  workgroupBarrier();
  if (local > 0u) { return; }
  var total = 0.0;
  for (var i = 0u; i < ${THREADS}u; i++) { total += sums[i]; }
  let norm = sqrt(total);
  let finite = (bitcast<u32>(total) & 0x7f800000u) != 0x7f800000u;
  decision[0] = vec4f(norm, min(1.0, P.maxNorm / (norm + 1e-6)), select(0.0, 1.0, finite), 0.0);
}`,
  }));

/**
 * What a step is to do with its gradients: f32 [4], (global norm, factor for the gradients, 1 if the norm is finite else 0, unused). The factor is
 * `min(1, maxNorm / (norm + 1e-6))`, as in PyTorch's `clip_grad_norm_`; the gradients stay as they are, `AdamW.step` applies it.
 * A norm is not finite where a gradient is NaN or infinite, or the sum of squares passes f32's range. `maxNorm` may be Infinity.
 * Throws `argument` for no gradients or a `maxNorm` that is not above 0, `dtype` for gradients that are not f32.
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], maxNorm: number): Tensor {
  const device = gradients[0]?.device;
  if (!device) throw new TensorError("argument", "clipByGlobalNorm needs at least one gradient");
  if (!(maxNorm > 0)) throw new TensorError("argument", `clipByGlobalNorm: maxNorm must be above 0, not ${maxNorm}`);
  const parts = gradients.flatMap((gradient) => gradient.parts().map(({ tensor }) => tensor));
  const counts = parts.map((part) => Math.min(MAX_PARTIALS, Math.ceil(part.size / 4)));
  const total = counts.reduce((sum, n) => sum + n, 0);
  const partials = device.empty([total]);
  let start = 0;
  parts.forEach((part, k) => {
    sumSquares(device, part, partials, start, counts[k]!);
    start += counts[k]!;
  });
  const decision = device.empty([4]);
  device.dispatch(decideKernel(), {
    reads: [partials],
    writes: [decision],
    uniforms: [total, Math.min(maxNorm, LARGEST_F32)],
    groups: [1],
  });
  partials.dispose();
  return decision;
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
  const [norm, factor, finite] = await decision.values();
  return { norm: norm!, factor: factor!, finite: finite === 1 };
}

function sumSquares(device: Device, part: Tensor, partials: Tensor, start: number, threads: number): void {
  if (part.dtype !== "f32") throw new TensorError("dtype", `clipByGlobalNorm takes f32 gradients, not ${part}`);
  const temporary: Tensor[] = [];
  device.dispatch(squaresKernel(), {
    reads: [aligned(part, temporary)],
    writes: [partials],
    uniforms: [part.size, threads, start],
    groups: [Math.ceil(threads / THREADS)],
  });
  for (const tensor of temporary) tensor.dispose();
}
