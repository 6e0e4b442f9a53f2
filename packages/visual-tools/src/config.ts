/** Strict schema of the tool options, for configuration files. Every key may be left out; the default stands in. */
import { z } from "zod";
import { defaultToolOptions as defaults, type ToolOptions } from "./options.ts";

const limit = (value: number): z.ZodDefault<z.ZodInt> => z.int().min(1).default(value);

export const toolOptionsSchema: z.ZodType<ToolOptions, unknown> = z.strictObject({
  geometry: z.enum(["refocus", "vtool_v1", "vtool_v2"]).default(defaults.geometry),
  coordinates: z.enum(["pixel", "fraction"]).default(defaults.coordinates),
  unknownKey: z.enum(["error", "ignore", "fuzzy", "published"]).default(defaults.unknownKey),
  extraction: z.enum(["plain", "vtool_v1", "vtool_v2"]).default(defaults.extraction),
  inPlace: z.boolean().default(defaults.inPlace),
  autoDisplay: z.boolean().default(defaults.autoDisplay),
  strictOrientation: z.boolean().default(defaults.strictOrientation),
  limits: z
    .strictObject({
      characters: limit(defaults.limits.characters),
      statements: limit(defaults.limits.statements),
      nesting: limit(defaults.limits.nesting),
      calls: limit(defaults.limits.calls),
      steps: limit(defaults.limits.steps),
      pixels: limit(defaults.limits.pixels),
    })
    .prefault({}),
});
