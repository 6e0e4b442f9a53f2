// WebGPU's own types where the program that reads these declarations has them (its DOM library, or @webgpu/types), else just objects: no declaration
// of this package may name a global that is not there.

/** Such as `WebGpu<"GPUDevice">`. */
export type WebGpu<Name extends string> =
  typeof globalThis extends Record<Name, { prototype: infer Type extends object }> ? Type : object;
