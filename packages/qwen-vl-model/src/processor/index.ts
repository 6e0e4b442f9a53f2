/** Qwen2.5-VL on WebGPU: configuration, weights, forward, backward, generation, LoRA and export. */
export {};
