// Gradients of the head. With z = logit / T, p = softmax(z), H the entropy: d logp_t / dz_j = [j = t] - p_j, dH / dz_j = -p_j (log p_j + H),
// and the log-normalizer's is p_j.
import { rowsOf } from "../../checked.ts";
import type { Device } from "../../device/device.ts";
import { defineKernel } from "../../submit/kernel.ts";
import type { Tensor } from "../../tensor.ts";
import { fill } from "../fill.ts";
import { grid, perItemHead, THREADS } from "../wgsl.ts";
import type { LogitSlice } from "./block-states.ts";
import { headGradients } from "./gradient-sweep.ts";
import type { GroupedPairs } from "./pairs.ts";

const coefficientKernel = defineKernel(() => ({
  name: "head_coefficients",
  reads: {
    starts: "u32",
    entries: "vec2u",
    logProbGradient: "f32",
    entropyGradient: "f32",
    normalizerGradient: "f32",
    entropy: "f32",
    logNormalizer: "f32",
  },
  writes: { coefficients: "vec4f" },
  uniforms: { rows: "u32", entropyFlows: "u32", normalizerFlows: "u32" },
  code: `${perItemHead}
  if (i >= P.rows) { return; }
  var result = vec4f(select(0.0, -normalizerGradient[i], P.normalizerFlows != 0u), 0.0, 0.0, logNormalizer[i]);
  for (var e = starts[i]; e < starts[i + 1u]; e++) {
    let pair = entries[e].y;
    result.x += logProbGradient[pair];
    result.y += select(0.0, entropyGradient[pair], P.entropyFlows != 0u);
    result.z = entropy[pair];
  }
  coefficients[i] = result;
}`,
}));

/** Logits to the part of their gradient that all ids have: -p (A + B (log p + H)) / T. A thread has four ids, a row of threads one row. */
const softmaxKernel = defineKernel(() => ({
  name: "head_softmax_backward",
  reads: { coefficients: "vec4f", banned: "u32" },
  writes: { logits: "vec4f" },
  uniforms: { columns: "u32", stride: "u32", firstRow: "u32", firstColumn: "u32", inverseTemperature: "f32" },
  code: /* wgsl */ `
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (4u * id.x >= P.columns) { return; }
  let at = id.y * (P.stride / 4u) + id.x;
  let of_row = coefficients[P.firstRow + id.y];
  let first = P.firstColumn + 4u * id.x;
  let bans = vec4u(banned[first >> 5u] >> (first & 31u)) & vec4u(1u, 2u, 4u, 8u);
  let log_p = logits[at] * P.inverseTemperature - of_row.w;
  let bounded = max(log_p, vec4f(-87.0));
  let p = select(exp(bounded), vec4f(0.0), (log_p < vec4f(-87.0)) | (bans != vec4u(0u)));
  logits[at] = -p * fma(vec4f(of_row.y), bounded + of_row.z, vec4f(of_row.x)) * P.inverseTemperature;
}`,
}));

/** Adds the part that targets have: a thread per row, as a row's targets may be equal. */
const targetKernel = defineKernel(() => ({
  name: "head_target_backward",
  reads: { starts: "u32", entries: "vec2u", logProbGradient: "f32" },
  writes: { logits: "f32" },
  uniforms: {
    rows: "u32",
    columns: "u32",
    stride: "u32",
    firstRow: "u32",
    firstColumn: "u32",
    inverseTemperature: "f32",
  },
  code: `${perItemHead}
  if (i >= P.rows) { return; }
  let row = P.firstRow + i;
  for (var e = starts[row]; e < starts[row + 1u]; e++) {
    let target_id = entries[e].x;
    if (target_id >= P.firstColumn && target_id - P.firstColumn < P.columns) {
      let at = i * P.stride + target_id - P.firstColumn;
      logits[at] = fma(logProbGradient[entries[e].y], P.inverseTemperature, logits[at]);
    }
  }
}`,
}));

export interface HeadBackward {
  readonly hidden: Tensor;
  readonly weight: Tensor;
  readonly pairs: GroupedPairs;
  readonly banned: Tensor;
  readonly entropy: Tensor;
  readonly logNormalizer: Tensor;
  /** Of log-prob [pairs], entropy [pairs], log-normalizer [rows]. */
  readonly cotangents: readonly [Tensor | undefined, Tensor | undefined, Tensor | undefined];
  readonly inverseTemperature: number;
  /** Whether the gradients of hidden and of weight are asked for. */
  readonly needs: readonly [boolean, boolean];
  /** Where that of weight is put, if it is there already. */
  readonly into: Tensor | undefined;
}

/** Gradients by hidden and weight (f32, sharded as the weight is). */
export function headBackward(
  device: Device,
  call: HeadBackward,
): readonly [hidden: Tensor | undefined, weight: Tensor | undefined] {
  const { hidden, weight, needs, into } = call;
  const rows = rowsOf(hidden);
  const [ofLogProb, ofEntropy, ofNormalizer] = call.cotangents;
  const { starts, entries } = call.pairs;
  const logProbGradient = ofLogProb ?? fill(device, call.entropy.shape, 0);
  const coefficients = device.empty([rows, 4]);
  device.dispatch(coefficientKernel(), {
    reads: [
      starts,
      entries,
      logProbGradient,
      ofEntropy ?? call.entropy,
      ofNormalizer ?? call.logNormalizer,
      call.entropy,
      call.logNormalizer,
    ],
    writes: [coefficients],
    uniforms: [rows, ofEntropy ? 1 : 0, ofNormalizer ? 1 : 0],
    groups: grid(device, rows),
  });
  return headGradients(device, {
    ...{ hidden, weight, needs, into },
    toGradient: (made, { firstRow }) => toGradient(device, call, made, firstRow, coefficients, logProbGradient),
  });
}

function toGradient(
  device: Device,
  call: HeadBackward,
  { logits, rows, columns, stride, firstColumn }: LogitSlice,
  firstRow: number,
  coefficients: Tensor,
  logProbGradient: Tensor,
): void {
  device.dispatch(softmaxKernel(), {
    reads: [coefficients, call.banned],
    writes: [logits],
    uniforms: [columns, stride, firstRow, firstColumn, call.inverseTemperature],
    groups: [Math.ceil(columns / 4 / THREADS), rows],
  });
  device.dispatch(targetKernel(), {
    reads: [call.pairs.starts, call.pairs.entries, logProbGradient],
    writes: [logits],
    uniforms: [rows, columns, stride, firstRow, firstColumn, call.inverseTemperature],
    groups: grid(device, rows),
  });
}
