// This program, for processes of its own.
import { fileURLToPath } from "node:url";

export const iapoProgram: string = fileURLToPath(
  new URL(`../main${import.meta.filename.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);
