// What a tool is.
import type { RawImage } from "@iapo/rollout-trace";
import type { Boxes, NamedBox, Orientation } from "./boxes.ts";
import { VisualToolsError } from "./error.ts";

/** Scalars of the tool language; `null` is None. */
export type Scalar = string | number | boolean | null;

/** Names as the program wrote them: a list, a bare string, or None. */
export type Names = readonly Scalar[] | string | null;

/** A box as the program wrote it: corners that are missing or no numbers are NaN. */
interface ArgumentTypes {
  readonly names: Names;
  readonly boxes: Boxes;
  readonly box: NamedBox;
  readonly number: number;
  readonly string: string;
}

export type ArgumentKind = keyof ArgumentTypes;

/** Parameters after the image, in order: name to kind. */
export type Signature = Readonly<Record<string, ArgumentKind>>;

export type Arguments<S extends Signature> = { readonly [Name in keyof S]: ArgumentTypes[S[Name]] };

export interface ToolBudget {
  /** Pixels left for this program. A tool that enlarges checks them before it allocates; its result is charged for it. */
  readonly pixels: number;
  /** Charges pixels painted beyond those of the result. @throws VisualToolsError `too_many_pixels` */
  spend(pixels: number): void;
}

/** A tool. Its first parameter is always called `image`. */
export interface ToolDefinition<S extends Signature> {
  /** A Python identifier. */
  readonly name: string;
  readonly signature: S;
  /** What the prompt says about it. */
  readonly promptBlock: string;
  /** What it works on: on a chart that is divided the other way, a call of it is misuse. Left out: either. */
  readonly axis?: Orientation | undefined;
  /** Under the option `inPlace`, the result also replaces the image that was given. */
  readonly editsInPlace?: boolean;
  /** Raw pixels in, raw pixels out, of any size. Must leave `image` as it is. A thrown error becomes a `tool_error`. */
  run(image: RawImage, args: Arguments<S>, budget: ToolBudget): RawImage;
}

/** A tool of any signature, as the interpreter sees it; `run` gets arguments already checked against `signature`. */
export type Tool = Omit<ToolDefinition<Signature>, "run"> & {
  run(image: RawImage, args: Readonly<Record<string, unknown>>, budget: ToolBudget): RawImage;
};

/** A tool under a name that holds for one task alone: programs call it by that, and the prompt defines that. */
export interface ToolAlias {
  /** The tool's own name. */
  readonly tool: string;
  /** A Python identifier. */
  readonly name: string;
}

export const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Makes a tool that programs can call by name.
 *
 * @throws VisualToolsError `bad_tool` where a name is no Python identifier, or a parameter is called `image`
 */
export function defineTool<const S extends Signature>(definition: ToolDefinition<S>): Tool {
  for (const name of [definition.name, ...Object.keys(definition.signature)]) {
    if (!identifier.test(name)) throw new VisualToolsError("bad_tool", `"${name}" is not a Python identifier`);
  }
  if (Object.hasOwn(definition.signature, "image")) {
    throw new VisualToolsError("bad_tool", `the first parameter of ${definition.name} is already called "image"`);
  }
  return { ...definition, run: (image, args, budget) => definition.run(image, args as Arguments<S>, budget) };
}
