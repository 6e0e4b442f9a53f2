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
export { add } from "./ops/add.ts";
export { attention } from "./ops/attention/attention.ts";
export type { Segment } from "./ops/attention/plan.ts";
export type { AttentionShape } from "./ops/attention/reference.ts";
export { Segments } from "./ops/attention/segments.ts";
export { linear } from "./ops/matmul/linear.ts";
export { type MatmulOptions, matmul } from "./ops/matmul/matmul.ts";
export type { Seed } from "./ops/random/philox.ts";
export { deriveSeed, type SeedPart } from "./ops/random/seed.ts";
export { randomBits, randomNormal, randomUniform, randomWords } from "./ops/random/tensors.ts";
export { tanh } from "./ops/tanh.ts";
export type { KernelTime } from "./submit/profiler.ts";
export { type WarmUpProgress, warmUp } from "./submit/warm-up.ts";
export { Tensor } from "./tensor.ts";
