// Strict schema of the tool options, for configuration files. Every key may be left out; the default stands in.
import { z } from "zod";
import type { Boxes, Orientation } from "./boxes.ts";
import { defaultToolOptions as defaults, type ToolOptions } from "./options.ts";
import { identifier, type ToolAlias } from "./tool.ts";

const limit = (value: number): z.ZodDefault<z.ZodInt> => z.int().min(1).default(value);

export const toolOptionsSchema: z.ZodType<ToolOptions, unknown> = z.strictObject({
  geometry: z
    .enum(["refocus", "vtool_v1", "vtool_v2"])
    .default(defaults.geometry)
    .describe("Which published tool code the tools draw like."),
  coordinates: z
    .enum(["pixel", "fraction"])
    .default(defaults.coordinates)
    .describe("Boxes in pixels, or in fractions of width and height."),
  unknownKey: z
    .enum(["error", "ignore", "fuzzy", "published"])
    .default(defaults.unknownKey)
    .describe("What a name without a box does."),
  extraction: z
    .enum(["plain", "vtool_v1", "vtool_v2"])
    .default(defaults.extraction)
    .describe("How the program is cut out of a response."),
  inPlace: z.boolean().default(defaults.inPlace).describe("A tool also changes the image it was given."),
  autoDisplay: z
    .boolean()
    .default(defaults.autoDisplay)
    .describe("A program that displays nothing shows its last tool call."),
  strictOrientation: z
    .union([z.boolean(), z.number().min(0).max(1)])
    .default(defaults.strictOrientation)
    .describe(
      "The boxes of the axis that a chart does not have are empty; or on which share of charts, by their ids, they are not.",
    ),
  limits: z
    .strictObject({
      characters: limit(defaults.limits.characters).describe("Length of the program."),
      statements: limit(defaults.limits.statements).describe("Statements executed, loop rounds counted."),
      nesting: limit(defaults.limits.nesting).describe("Depth of nested expressions and loops."),
      calls: limit(defaults.limits.calls).describe("Calls of tools and display."),
      steps: limit(defaults.limits.steps).describe("Syntax nodes evaluated."),
      pixels: limit(defaults.limits.pixels).describe("Pixels of all images that tools return, in sum."),
    })
    .prefault({})
    .describe("Bounds of one program."),
});

export const boxesSchema: z.ZodType<Boxes> = z.array(
  z.strictObject({
    name: z.string(),
    x1: z.number(),
    y1: z.number(),
    x2: z.number(),
    y2: z.number(),
  }),
);

export const toolAliasesSchema: z.ZodType<readonly ToolAlias[]> = z.array(
  z.strictObject({ tool: z.string().min(1), name: z.string().regex(identifier) }),
);

export const orientationSchema: z.ZodType<Orientation> = z.enum(["columns", "rows"]);
