// All ops: what the conformance suite runs and the op table lists.
import { add } from "./add.ts";
import type { Op } from "./define.ts";
import { tanh } from "./tanh.ts";

export const registry: readonly Op[] = [add, tanh];
