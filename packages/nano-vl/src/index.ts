/** Two nano Qwen2.5-VL checkpoints, student and teacher, and their tokenizer: what the demo and the tests run on. */
import { fileURLToPath } from "node:url";

/** Configuration, tokenizer, chat template and image limits of the nano model, without weights. */
export const baseDirectory: string = fileURLToPath(new URL("../base/", import.meta.url));
