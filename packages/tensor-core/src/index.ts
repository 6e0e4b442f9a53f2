// Tensors, gradients, kernels, memory and optimizers on WebGPU.

export { checkpoint } from "./autograd/checkpoint.ts";
export { type BackwardOptions, grad, noGrad, type Recorded, record } from "./autograd/tape.ts";
export { cardBudget } from "./device/budget.ts";
export { Device, type Dispatch } from "./device/device.ts";
export {
  type AdapterFacts,
  type AdapterNotes,
  type KernelFamily,
  kernelFamilies,
  typicalCard,
} from "./device/facts.ts";
export type { MatrixUnit } from "./device/matrix-unit.ts";
export {
  adapterAdvice,
  adapterNames,
  type DeviceOptions,
  keepNotes,
  openDevice,
  planningDevice,
} from "./device/open.ts";
export { type DType, fromBf16, type HostArray, toBf16 } from "./dtype.ts";
export { isOutOfMemory, TensorError, type TensorErrorCode } from "./error.ts";
export { type Block, copyBlock, type HostTensor, uploadBlock } from "./memory/block.ts";
export { emptyAlike, emptyPack, neighbors, spanOf } from "./memory/pack.ts";
export { keepPacked } from "./memory/packed-copies.ts";
export type { MemoryReport } from "./memory/pool.ts";
export { scope, withTag } from "./memory/scope.ts";
export { emptyStack, stackOf } from "./memory/stack.ts";
export * from "./ops/index.ts";
export { AdamW, type AdamWOptions, type Moments, type OptimizedParameter, type StepOptions } from "./optim/adamw.ts";
export { type ClipDecision, clipByGlobalNorm, readClipDecision } from "./optim/clip.ts";
export { learningRateSchedule, type ScheduleOptions } from "./optim/schedule.ts";
export { type ParityCheck, type ParityReport, parityProbe } from "./parity-probe.ts";
export type { Captured } from "./submit/capture.ts";
export { defineKernel, type Kernel, type KernelSpec, type StorageElement, type UniformType } from "./submit/kernel.ts";
export type { KernelTime } from "./submit/profiler.ts";
export { type WarmUpProgress, warmUp } from "./submit/warm-up.ts";
export { type RowPart, Tensor } from "./tensor.ts";
export { type TunedProduct, type TunedRow, tuneProducts } from "./tune.ts";
