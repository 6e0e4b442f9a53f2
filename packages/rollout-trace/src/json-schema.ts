// The trace format for other languages.
import { z } from "zod";
import { traceSchema } from "./trace.ts";

/**
 * JSON Schema (draft 2020-12) of a trace as JSON. It states types, keys and bounds; that arrays agree in length and blocks exist is
 * checked by `traceSchema` only.
 */
export function traceJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(traceSchema, { io: "input" }), title: "Trace" };
}
