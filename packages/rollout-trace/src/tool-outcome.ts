// What became of the tool program of one turn.
import { z } from "zod";
import { type Image, type ImageRef, imageRefSchema } from "./image.ts";

/**
 * `no_tool` the turn holds no program; `parse_error` not a valid program; `unsupported` a program outside of the whitelist or
 * its limits; `tool_error` it failed while it ran, or showed no image; `ok` it showed an image.
 */
export type ToolStatus = "no_tool" | "parse_error" | "unsupported" | "tool_error" | "ok";

/** Why a program did not reach `ok`. `line` and `column` are 1-based and count from the first character after the opening fence. */
export interface ToolReason {
  /** Stable, such as `undefined_name`. */
  readonly code: string;
  readonly message: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** `I` is the raw image where the program has just run, an {@link Image} in memory, an {@link ImageRef} in a trace. */
export type ToolOutcome<I = Image> = {
  readonly status: ToolStatus;
  readonly reason?: ToolReason | undefined;
  /** Names of the tools that were called, in order of the calls. */
  readonly tools: readonly string[];
  /** Names the calls asked for that have a box, each once. */
  readonly keys: readonly string[];
  /** Names the calls asked for that have none, each once. */
  readonly unknownKeys: readonly string[];
  /** Whether the shown image differs from the original in size or in any RGB value. */
  readonly changed: boolean;
  /** The image shown; present exactly when `status` is `ok`. */
  readonly image?: I | undefined;
};

export const toolOutcomeSchema: z.ZodType<ToolOutcome<ImageRef>> = z
  .strictObject({
    status: z.enum(["no_tool", "parse_error", "unsupported", "tool_error", "ok"]),
    reason: z
      .strictObject({
        code: z.string().min(1),
        message: z.string(),
        line: z.int().min(1).optional(),
        column: z.int().min(1).optional(),
      })
      .optional(),
    tools: z.array(z.string()),
    keys: z.array(z.string()),
    unknownKeys: z.array(z.string()),
    changed: z.boolean(),
    image: imageRefSchema.optional(),
  })
  .refine((outcome) => (outcome.status === "ok") === (outcome.image !== undefined), {
    error: "an outcome has an image exactly when its status is ok",
    path: ["image"],
  });
