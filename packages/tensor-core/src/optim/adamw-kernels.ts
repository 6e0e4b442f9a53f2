// AdamW's two kernels: one thread that counts the step, and the fused update.

import { bf16Wgsl } from "../ops/cast.ts";
import { perItemHead } from "../ops/wgsl.ts";
import { defineKernel } from "../submit/kernel.ts";

/**
 * Counts a step, applied or skipped, and computes its bias corrections. 1 - beta^t = -expm1(t log beta), by a Taylor series on a small
 * argument and then `expm1(2y) = expm1(y) (2 + expm1(y))`, as 1 - pow() loses all digits for beta near 1.
 */
export const countKernel = defineKernel(() => ({
  name: "adamw_count",
  reads: { decision: "vec4f" },
  writes: { counter: "vec4f" },
  uniforms: { logBeta1: "f32", logBeta2: "f32" },
  code: /* wgsl */ `
fn one_minus_exp(x: f32) -> f32 {
  var y = max(x, -32.0);
  var doublings = 0u;
  while (y < -0.125) { y *= 0.5; doublings++; }
  var result = y * fma(y, fma(y, fma(y, fma(y, fma(y, 1.0 / 720.0, 1.0 / 120.0), 1.0 / 24.0), 1.0 / 6.0), 0.5), 1.0);
  for (; doublings > 0u; doublings--) { result = result * (2.0 + result); }
  return -result;
}
@compute @workgroup_size(1)
fn main() {
  let before = counter[0];
  if (decision[0].z == 0.0) {
    counter[0].y = before.y + 1.0;
    return;
  }
  let step = before.x + 1.0;
  counter[0] = vec4f(step, before.y, one_minus_exp(step * P.logBeta1), sqrt(one_minus_exp(step * P.logBeta2)));
}`,
}));

/** What the update writes beside the master: its bf16 rounding, packed or widened to f32 again. */
export type RunCopyKind = "none" | "f32" | "bf16";

const runCopyCode: Readonly<Record<RunCopyKind, string>> = {
  none: "",
  f32: "run[i] = widen_bf16(round_bf16(bitcast<vec4u>(updated)));",
  bf16: "run[i] = round_bf16(bitcast<vec4u>(updated));",
};

/** One thread per four elements; the last may touch the padding that every binding has. */
export const updateKernel = defineKernel((runCopy: RunCopyKind) => ({
  name: `adamw_update/${runCopy}`,
  reads: { gradient: "vec4f", decision: "vec4f", counter: "vec4f" },
  writes: {
    master: "vec4f",
    first: "vec4f",
    second: "vec4f",
    ...(runCopy === "none" ? {} : { run: runCopy === "bf16" ? ("vec2u" as const) : ("vec4f" as const) }),
  },
  uniforms: {
    items: "u32",
    learningRate: "f32",
    decay: "f32",
    oneMinusBeta1: "f32",
    beta2: "f32",
    oneMinusBeta2: "f32",
    epsilon: "f32",
  },
  code: `${bf16Wgsl}${perItemHead}
  if (i >= P.items || decision[0].z == 0.0) { return; }
  let g = gradient[i] * decision[0].y;
  let m = fma(vec4f(P.oneMinusBeta1), g - first[i], first[i]);
  let v = fma(P.oneMinusBeta2 * g, g, P.beta2 * second[i]);
  let denominator = sqrt(v) / counter[0].w + P.epsilon;
  let updated = fma(vec4f(-P.learningRate / counter[0].z), m / denominator, P.decay * master[i]);
  first[i] = m;
  second[i] = v;
  master[i] = updated;
  ${runCopyCode[runCopy]}
}`,
}));
