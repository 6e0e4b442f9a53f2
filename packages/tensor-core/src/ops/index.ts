// The ops: the only list of them, which `registry.ts`, the conformance suite and the op table read; and what goes with them.
export { abs } from "./abs.ts";
export { add } from "./add.ts";
export { addInto } from "./add-into.ts";
export { addScaled } from "./add-scaled.ts";
export { allFinite } from "./all-finite.ts";
export { argmax } from "./argmax.ts";
export { attention } from "./attention/attention.ts";
export { formOf, planSegments, rowSegment, type Segment, type SegmentPlan } from "./attention/plan.ts";
export type { AttentionShape } from "./attention/reference.ts";
export { Segments } from "./attention/segments.ts";
export { broadcastTo } from "./broadcast-to.ts";
export { cast, castInto } from "./cast.ts";
export { clamp } from "./clamp.ts";
export { equal, greater, greaterEqual, less, lessEqual, notEqual } from "./comparison.ts";
export { concat } from "./concat.ts";
export { cos } from "./cos.ts";
export {
  type CaseInput,
  defineOp,
  type Op,
  type OpCase,
  type OpSpec,
  type ReferenceArray,
  type VjpContext,
} from "./define.ts";
export { divide } from "./divide.ts";
export { dot } from "./dot.ts";
export { exp } from "./exp.ts";
export { fill } from "./fill.ts";
export { gatherRows } from "./gather-rows.ts";
export { gelu } from "./gelu.ts";
export { geluTanh } from "./gelu-tanh.ts";
export { globalNorm } from "./global-norm.ts";
export { bannedMask } from "./head/banned.ts";
export { headDivergence } from "./head/divergence.ts";
export { type LogProbs, logProbs } from "./head/log-probs.ts";
export type { TargetPairs } from "./head/pairs.ts";
export type { DivergenceDirection, DivergenceOptions, LogProbOptions } from "./head/params.ts";
export { type TopLogProbs, topLogProbs } from "./head/top-log-probs.ts";
export { type Int8Matrix, int8Group, toInt8 } from "./int8/int8.ts";
export { linearInt8 } from "./int8/linear-int8.ts";
export { widenInt8 } from "./int8/widen.ts";
export { layerNorm } from "./layer-norm.ts";
export { log } from "./log.ts";
export { logSoftmax } from "./log-softmax.ts";
export { lookupRows } from "./lookup-rows.ts";
export { linear } from "./matmul/linear.ts";
export { linearSideBySide, type SideBySideOptions } from "./matmul/linear-side-by-side.ts";
export { type MatmulOptions, matmul } from "./matmul/matmul.ts";
export type { Prologue } from "./matmul/prologue.ts";
export { type LowRankUpdate, linearTogether, type TogetherOptions, takesUpdate } from "./matmul/together.ts";
export { max } from "./max.ts";
export { maximum } from "./maximum.ts";
export { mean } from "./mean.ts";
export { minimum } from "./minimum.ts";
export { multiply } from "./multiply.ts";
export { negate } from "./negate.ts";
export { overwriteRows } from "./overwrite-rows.ts";
export { type Seed, uniformOf } from "./random/philox.ts";
export { deriveSeed, type SeedPart } from "./random/seed.ts";
export { randomBits, randomNormal, randomUniform, randomWords } from "./random/tensors.ts";
export { reciprocal } from "./reciprocal.ts";
export { relu } from "./relu.ts";
export { reshape } from "./reshape.ts";
export { rmsNorm } from "./rms-norm.ts";
export { rope } from "./rope.ts";
export { type CacheRows, ropeIntoCache } from "./rope-cache.ts";
export { type HeadCounts, ropeHeads } from "./rope-heads.ts";
export { RowIndex } from "./row-index.ts";
export { rowRange } from "./row-range.ts";
export { rsqrt } from "./rsqrt.ts";
export { type RepetitionPenalty, type TokenBias, tokenBias } from "./sampling/adjust.ts";
export { type Sample, type SampleOptions, sample } from "./sampling/sample.ts";
export { scatterRows } from "./scatter-rows.ts";
export { sigmoid } from "./sigmoid.ts";
export { silu } from "./silu.ts";
export { siluGate, siluGateHalves } from "./silu-gate.ts";
export { sin } from "./sin.ts";
export { slice } from "./slice.ts";
export { softmax } from "./softmax.ts";
export { split } from "./split.ts";
export { sqrt } from "./sqrt.ts";
export { square } from "./square.ts";
export { subtract } from "./subtract.ts";
export { sum } from "./sum.ts";
export { sumTo } from "./sum-to.ts";
export { tanh } from "./tanh.ts";
export { type TopK, topK } from "./top-k.ts";
export { transpose } from "./transpose.ts";
export { where } from "./where.ts";
export { writeRows } from "./write-rows.ts";
