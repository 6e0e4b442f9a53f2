// All ops: what the conformance suite runs and the op table lists.

import { abs } from "./abs.ts";
import { add } from "./add.ts";
import { addScalar } from "./add-scalar.ts";
import { allFinite } from "./all-finite.ts";
import { argmax } from "./argmax.ts";
import { attention } from "./attention/attention.ts";
import { broadcastTo } from "./broadcast-to.ts";
import { cast } from "./cast.ts";
import { clamp } from "./clamp.ts";
import { concat } from "./concat.ts";
import { cos } from "./cos.ts";
import type { Op } from "./define.ts";
import { divide } from "./divide.ts";
import { dot } from "./dot.ts";
import { equal } from "./equal.ts";
import { exp } from "./exp.ts";
import { gatherRows } from "./gather-rows.ts";
import { gelu } from "./gelu.ts";
import { geluTanh } from "./gelu-tanh.ts";
import { globalNorm } from "./global-norm.ts";
import { greater } from "./greater.ts";
import { greaterEqual } from "./greater-equal.ts";
import { logProbs } from "./head/log-probs.ts";
import { layerNorm } from "./layer-norm.ts";
import { less } from "./less.ts";
import { lessEqual } from "./less-equal.ts";
import { log } from "./log.ts";
import { logSoftmax } from "./log-softmax.ts";
import { linear } from "./matmul/linear.ts";
import { matmul } from "./matmul/matmul.ts";
import { max } from "./max.ts";
import { maximum } from "./maximum.ts";
import { mean } from "./mean.ts";
import { minimum } from "./minimum.ts";
import { multiply } from "./multiply.ts";
import { negate } from "./negate.ts";
import { notEqual } from "./not-equal.ts";
import { overwriteRows } from "./overwrite-rows.ts";
import { reciprocal } from "./reciprocal.ts";
import { relu } from "./relu.ts";
import { reshape } from "./reshape.ts";
import { rmsNorm } from "./rms-norm.ts";
import { rope } from "./rope.ts";
import { rowRange } from "./row-range.ts";
import { rsqrt } from "./rsqrt.ts";
import { scale } from "./scale.ts";
import { scatterRows } from "./scatter-rows.ts";
import { sigmoid } from "./sigmoid.ts";
import { silu } from "./silu.ts";
import { siluGate } from "./silu-gate.ts";
import { sin } from "./sin.ts";
import { slice } from "./slice.ts";
import { softmax } from "./softmax.ts";
import { split } from "./split.ts";
import { sqrt } from "./sqrt.ts";
import { square } from "./square.ts";
import { subtract } from "./subtract.ts";
import { sum } from "./sum.ts";
import { tanh } from "./tanh.ts";
import { topK } from "./top-k.ts";
import { transpose } from "./transpose.ts";
import { where } from "./where.ts";

export const registry: readonly Op[] = [
  abs,
  add,
  addScalar,
  allFinite,
  argmax,
  attention,
  broadcastTo,
  cast,
  clamp,
  concat,
  cos,
  divide,
  dot,
  equal,
  exp,
  gatherRows,
  gelu,
  geluTanh,
  globalNorm,
  greater,
  greaterEqual,
  layerNorm,
  less,
  lessEqual,
  linear,
  log,
  logProbs,
  logSoftmax,
  matmul,
  max,
  maximum,
  mean,
  minimum,
  multiply,
  negate,
  notEqual,
  overwriteRows,
  reciprocal,
  relu,
  reshape,
  rmsNorm,
  rope,
  rowRange,
  rsqrt,
  scale,
  scatterRows,
  sigmoid,
  silu,
  siluGate,
  sin,
  slice,
  softmax,
  split,
  sqrt,
  square,
  subtract,
  sum,
  tanh,
  topK,
  transpose,
  where,
];
