/** Two nano Qwen2.5-VL checkpoints, student and teacher, and their tokenizer: what the demo and the tests run on. */
export {};
