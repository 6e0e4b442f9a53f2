// From a model's response to the image it wants to see next.
import type { RawImage, ToolOutcome } from "@iapo/rollout-trace";
import type { Boxes, Orientation } from "../boxes.ts";
import { VisualToolsError } from "../error.ts";
import { chartAxisTools, focusTools } from "../focus/focus-tools.ts";
import { checkImage, sameRgb } from "../image/pixels.ts";
import { defaultToolOptions, type ToolOptions } from "../options.ts";
import type { Tool, ToolAlias } from "../tool.ts";
import { lastImage, withDisplay } from "./auto-display.ts";
import { type Execution, execute, type ProgramUsage } from "./execute.ts";
import { extractProgram } from "./extract.ts";
import { ProgramFault, reasonOf, runError } from "./fault.ts";
import { parseProgram } from "./parse.ts";
import { boxesValue, type Value } from "./values.ts";

/** What a program works on. Boxes are in the frame that the option `coordinates` states. */
export interface ProgramInput {
  readonly image: RawImage;
  readonly columns: Boxes;
  readonly rows: Boxes;
  /** The one axis of a chart; a table states none. */
  readonly orientation?: Orientation | undefined;
  /** Where `strictOrientation` is a number: uniform in [0, 1), a function of the chart. Below the number, the wrong axis has its boxes. */
  readonly draw?: number | undefined;
  /** The tools that this program may call, by these names alone; left out: all, by their own. */
  readonly aliases?: readonly ToolAlias[] | undefined;
}

export type ProgramRun = { readonly outcome: ToolOutcome<RawImage>; readonly usage: Readonly<ProgramUsage> };

export interface ToolInterpreter {
  readonly options: ToolOptions;
  readonly tools: readonly Tool[];
  /**
   * Reads the first fenced Python block of `response` and runs it over `image_1`, `columns_bbox`, `rows_bbox`, the tools and
   * `display`. Never executes it as Python, never changes `input.image`, and whatever the response holds, returns a value.
   *
   * @throws VisualToolsError `bad_image` where the input image is none, `bad_tool` for an alias of a tool that is not there,
   *   `bad_draw` where one is needed
   */
  run(response: string, input: ProgramInput): ProgramRun;
}

/** On a chart, both names hold the boxes of its one axis, as in the published code, or only the right one does. */
function boxVariables(
  { columns, rows, orientation, draw }: ProgramInput,
  strict: ToolOptions["strictOrientation"],
): { columns: Boxes; rows: Boxes } {
  if (orientation === undefined) return { columns, rows };
  const boxes = orientation === "columns" ? columns : rows;
  const other = isStrict(strict, draw) ? [] : boxes;
  return orientation === "columns" ? { columns: boxes, rows: other } : { columns: other, rows: boxes };
}

function isStrict(strict: ToolOptions["strictOrientation"], draw: number | undefined): boolean {
  if (typeof strict === "boolean") return strict;
  if (draw !== undefined && draw >= 0 && draw < 1) return draw >= strict;
  throw new VisualToolsError(
    "bad_draw",
    `strictOrientation is a share of charts, ${strict}, so a program on a chart needs a draw in [0, 1), not ${draw}`,
  );
}

function startExecution(options: ToolOptions, tools: ReadonlyMap<string, Tool>, input: ProgramInput): Execution {
  const { columns, rows } = boxVariables(input, options.strictOrientation);
  const variables = new Map<string, Value>([
    ["image_1", { kind: "image", image: input.image }],
    ["columns_bbox", boxesValue(columns)],
    ["rows_bbox", boxesValue(rows)],
    ["display", { kind: "display" }],
  ]);
  for (const [name, tool] of tools) variables.set(name, { kind: "tool", tool });
  return {
    options,
    variables,
    usage: { steps: 0, statements: 0, calls: 0, pixels: 0 },
    tools: [],
    keys: new Set(),
    unknownKeys: new Set(),
  };
}

/** Tools by the names that hold for one task. */
function aliased(tools: ReadonlyMap<string, Tool>, aliases: readonly ToolAlias[]): Map<string, Tool> {
  return new Map(
    aliases.map(({ tool: own, name }) => {
      const tool = tools.get(own);
      if (tool !== undefined) return [name, tool];
      throw new VisualToolsError("bad_tool", `there is no tool ${own}, which is to be called ${name}`);
    }),
  );
}

/** What the program displayed; under `autoDisplay`, where that is no image, the image it made last. */
function shownImage(execution: Execution, given: ReadonlySet<string>, autoDisplay: boolean, end: number): RawImage {
  const { displayed, variables } = execution;
  const recovered = autoDisplay ? lastImage(variables, given) : undefined;
  const shown = displayed?.kind === "image" ? displayed : recovered;
  if (shown !== undefined) return shown.image;
  if (displayed !== undefined) throw runError("not_an_image", "what the program displays is not an image", end);
  throw runError("no_display", "the program shows no image; end it with display(image)", end);
}

/**
 * @param tools what programs may call; by default the six focus tools and their twins for chart axes
 */
export function toolInterpreter(
  options: ToolOptions = defaultToolOptions,
  tools: readonly Tool[] = [...focusTools(options), ...chartAxisTools(options)],
): ToolInterpreter {
  const ownNames = new Map(tools.map((tool) => [tool.name, tool]));
  return {
    options,
    tools,
    run(response, input) {
      checkImage(input.image);
      const callable = input.aliases === undefined ? ownNames : aliased(ownNames, input.aliases);
      const toolNames = new Set(callable.keys());
      const execution = startExecution(options, callable, input);
      const given = new Set(execution.variables.keys());
      const finish = (part: Pick<ToolOutcome<RawImage>, "status" | "reason" | "image">): ProgramRun => ({
        outcome: {
          ...part,
          tools: execution.tools,
          keys: [...execution.keys],
          unknownKeys: [...execution.unknownKeys],
          changed: part.image !== undefined && !sameRgb(part.image, input.image),
        },
        usage: execution.usage,
      });
      const extracted = extractProgram(response, options.extraction, [...toolNames]);
      if (extracted.kind === "no_tool") return finish({ status: "no_tool" });
      if (extracted.kind === "malformed") {
        return finish({ status: "parse_error", reason: { code: extracted.code, message: extracted.message } });
      }
      const { code } = extracted;
      try {
        const program = parseProgram(code, options.limits, options.extraction === "plain");
        execute(execution, options.autoDisplay ? withDisplay(program, toolNames) : program);
        return finish({ status: "ok", image: shownImage(execution, given, options.autoDisplay, code.length) });
      } catch (fault) {
        if (!(fault instanceof ProgramFault)) throw fault;
        return finish({ status: fault.status, reason: reasonOf(fault, code) });
      }
    },
  };
}
