// All ops: what the conformance suite runs and the op table lists.
import type { Op } from "./define.ts";
import * as ops from "./index.ts";

const isOp = (value: unknown): value is Op => typeof value === "function" && "opName" in value;

/** In alphabetical order. */
export const registry: readonly Op[] = Object.values<unknown>(ops).filter(isOp);
