/** Tensors, gradients, kernels, memory, optimizers and safetensors on Dawn WebGPU, for Node and for a browser's GPUDevice. */
export {};
