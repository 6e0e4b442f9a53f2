/** Tensors, gradients, kernels, memory and optimizers on WebGPU. */

export { checkpoint } from "./autograd/checkpoint.ts";
export { type BackwardOptions, grad, noGrad, type Recorded, record } from "./autograd/tape.ts";
export { Device, type Dispatch } from "./device/device.ts";
export type { AdapterFacts, KernelFamily } from "./device/facts.ts";
export { type DeviceOptions, openDevice, planningDevice } from "./device/open.ts";
export { type DType, fromBf16, type HostArray, toBf16 } from "./dtype.ts";
export { TensorError, type TensorErrorCode } from "./errors.ts";
export type { MemoryReport } from "./memory/pool.ts";
export { scope, withTag } from "./memory/scope.ts";
export { abs } from "./ops/abs.ts";
export { add } from "./ops/add.ts";
export { addScalar } from "./ops/add-scalar.ts";
export { allFinite } from "./ops/all-finite.ts";
export { argmax } from "./ops/argmax.ts";
export { attention } from "./ops/attention/attention.ts";
export type { Segment } from "./ops/attention/plan.ts";
export type { AttentionShape } from "./ops/attention/reference.ts";
export { Segments } from "./ops/attention/segments.ts";
export { broadcastTo } from "./ops/broadcast-to.ts";
export { cast, castInto } from "./ops/cast.ts";
export { clamp } from "./ops/clamp.ts";
export { concat } from "./ops/concat.ts";
export { cos } from "./ops/cos.ts";
export {
  type CaseInput,
  defineOp,
  type Op,
  type OpCase,
  type OpSpec,
  type ReferenceArray,
  type VjpContext,
} from "./ops/define.ts";
export { divide } from "./ops/divide.ts";
export { dot } from "./ops/dot.ts";
export { equal } from "./ops/equal.ts";
export { exp } from "./ops/exp.ts";
export { fill } from "./ops/fill.ts";
export { gatherRows, gatherRows as embedding } from "./ops/gather-rows.ts";
export { gelu } from "./ops/gelu.ts";
export { geluTanh } from "./ops/gelu-tanh.ts";
export { globalNorm } from "./ops/global-norm.ts";
export { greater } from "./ops/greater.ts";
export { greaterEqual } from "./ops/greater-equal.ts";
export { bannedMask } from "./ops/head/banned.ts";
export { type LogProbOptions, type LogProbs, logProbs } from "./ops/head/log-probs.ts";
export type { TargetPairs } from "./ops/head/pairs.ts";
export { layerNorm } from "./ops/layer-norm.ts";
export { less } from "./ops/less.ts";
export { lessEqual } from "./ops/less-equal.ts";
export { log } from "./ops/log.ts";
export { logSoftmax } from "./ops/log-softmax.ts";
export { lookupRows } from "./ops/lookup-rows.ts";
export { linear } from "./ops/matmul/linear.ts";
export { type MatmulOptions, matmul } from "./ops/matmul/matmul.ts";
export { max } from "./ops/max.ts";
export { maximum } from "./ops/maximum.ts";
export { mean } from "./ops/mean.ts";
export { minimum } from "./ops/minimum.ts";
export { multiply } from "./ops/multiply.ts";
export { negate } from "./ops/negate.ts";
export { notEqual } from "./ops/not-equal.ts";
export { overwriteRows } from "./ops/overwrite-rows.ts";
export { type Seed, uniformOf } from "./ops/random/philox.ts";
export { deriveSeed, type SeedPart } from "./ops/random/seed.ts";
export { randomBits, randomNormal, randomUniform, randomWords } from "./ops/random/tensors.ts";
export { reciprocal } from "./ops/reciprocal.ts";
export { relu } from "./ops/relu.ts";
export { reshape } from "./ops/reshape.ts";
export { rmsNorm } from "./ops/rms-norm.ts";
export { rope } from "./ops/rope.ts";
export { RowIndex } from "./ops/row-index.ts";
export { rowRange } from "./ops/row-range.ts";
export { rsqrt } from "./ops/rsqrt.ts";
export { type RepetitionPenalty, type TokenBias, tokenBias } from "./ops/sampling/adjust.ts";
export { type Sample, type SampleOptions, sample } from "./ops/sampling/sample.ts";
export { scale } from "./ops/scale.ts";
export { scatterRows } from "./ops/scatter-rows.ts";
export { sigmoid } from "./ops/sigmoid.ts";
export { silu } from "./ops/silu.ts";
export { siluGate } from "./ops/silu-gate.ts";
export { sin } from "./ops/sin.ts";
export { slice } from "./ops/slice.ts";
export { softmax } from "./ops/softmax.ts";
export { split } from "./ops/split.ts";
export { sqrt } from "./ops/sqrt.ts";
export { square } from "./ops/square.ts";
export { subtract } from "./ops/subtract.ts";
export { sum } from "./ops/sum.ts";
export { sumTo } from "./ops/sum-to.ts";
export { tanh } from "./ops/tanh.ts";
export { type TopK, topK } from "./ops/top-k.ts";
export { transpose } from "./ops/transpose.ts";
export { where } from "./ops/where.ts";
export { writeRows } from "./ops/write-rows.ts";
export { AdamW, type AdamWOptions, type Moments, type OptimizedParameter, type StepOptions } from "./optim/adamw.ts";
export { type ClipDecision, clipByGlobalNorm, readClipDecision } from "./optim/clip.ts";
export { learningRateSchedule, type ScheduleOptions } from "./optim/schedule.ts";
export { type ParityCheck, type ParityReport, parityProbe } from "./parity-probe.ts";
export { defineKernel, type Kernel, type KernelSpec, type StorageElement, type UniformType } from "./submit/kernel.ts";
export type { KernelTime } from "./submit/profiler.ts";
export { type WarmUpProgress, warmUp } from "./submit/warm-up.ts";
export { type RowPart, Tensor } from "./tensor.ts";
