// All ops: what the conformance suite runs and the op table lists.
import { add } from "./add.ts";
import { attention } from "./attention/attention.ts";
import type { Op } from "./define.ts";
import { linear } from "./matmul/linear.ts";
import { matmul } from "./matmul/matmul.ts";
import { tanh } from "./tanh.ts";

export const registry: readonly Op[] = [add, attention, linear, matmul, tanh];
