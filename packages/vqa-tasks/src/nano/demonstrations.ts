// Episodes to imitate, of chosen quality, and exercises that a small model needs: captions (read a chart) and copies (spell names in a call,
// without a picture) first, later charts under names that they do not show (call what the question names, whatever the picture).
import { type Image, identifyImage } from "@iapo/rollout-trace";
import type { Boxes, Orientation, ToolAlias } from "@iapo/visual-tools";
import { environmentPresets } from "../environment/options.ts";
import { glossaryLine } from "../environment/prompts.ts";
import { callableTools, interpreters } from "../environment/tools.ts";
import { RandomStream } from "../random.ts";
import type { VisualTask } from "../task.ts";
import type { NanoChart, NanoCharts } from "./charts.ts";
import { type DemonstrationQuality, type DemonstrationStyle, type Effect, effects } from "./options.ts";
import { type QuestionKind, questionText } from "./questions.ts";
import type { NanoSplit } from "./tables.ts";

export type DemonstrationFault = "wrong_axis" | "no_call" | "malformed";

export type Demonstration = NanoChart & {
  /** Left out for a clean one. */
  readonly fault?: DemonstrationFault | undefined;
  /** What to write, turn by turn: a program and an answer, or the answer alone. */
  readonly turns: readonly string[];
};

export interface Caption {
  readonly image: Image;
  /** Axis word and values to the nearest ten, in chart order: of the bars a tool marked, or of all. */
  readonly text: string;
}

export interface Copy {
  /** As the compact prompt's query block writes it. */
  readonly query: string;
  /** The program that answers it, or the list of names. */
  readonly text: string;
}

export interface Renamed {
  /** Names and question are others than the picture's; it has no answer. */
  readonly task: VisualTask;
  /** The program that the question asks for. */
  readonly text: string;
}

const axes: readonly Orientation[] = ["columns", "rows"];
const effectOf: Readonly<Record<QuestionKind, Effect>> = {
  value: "highlight",
  over: "mask",
  above: "draw",
};
const { default: standard } = environmentPresets;
const interpreterOf = interpreters(standard, callableTools(standard.tools, undefined));

export interface ProgramOptions {
  /** Of the task. */
  readonly aliases?: readonly ToolAlias[] | undefined;
  readonly form?: DemonstrationStyle["program"] | undefined;
}

/** The fenced program that focuses on these names. */
export function toolProgram(
  axis: Orientation,
  effect: Effect,
  names: readonly string[],
  { aliases, form = "call" }: ProgramOptions = {},
): string {
  const tool = `focus_on_${axis}_with_${effect}`;
  const callee = aliases?.find((alias) => alias.tool === tool)?.name ?? tool;
  const call = `${callee}(image_1, ${nameList(names)}, ${axis}_bbox)`;
  const forms = {
    call: [`display(${call})`],
    variable: [`image = ${call}`, "display(image)"],
    defined: [`# ${glossaryLine({ tool, name: callee }).trim()}`, `display(${call})`],
  };
  return ["```python", ...forms[form], "```", ""].join("\n");
}

export function answerLine(answer: string): string {
  return `FINAL ANSWER: ${answer}\n`;
}

/** Demonstration `index` of a split, of the quality that the charts were made with. */
export async function demonstrate(charts: NanoCharts, split: NanoSplit, index: number): Promise<Demonstration> {
  const chart = await charts.chart(split, index);
  const random = new RandomStream(charts.options.seed, `nano-demonstrations/${split}`, index);
  const axis = chart.task.content.orientation ?? "columns";
  const fault = pickFault(charts.options.quality, random);
  const effect = effectFor(chart.question.kind, charts, random);
  const answer = answerLine(chart.question.answer);
  if (fault === "no_call") return { ...chart, fault, turns: [answer] };
  const called = fault === "wrong_axis" ? otherAxis(axis) : axis;
  const program = toolProgram(called, effect, chart.question.names, styleOf(charts, chart.task));
  return { ...chart, fault, turns: [fault === "malformed" ? spoil(program, random) : program, answer] };
}

/** Caption `index` of a split. `edited`: the share of pictures that a tool has marked one or two bars in; the rest is as it is. */
export async function caption(
  charts: NanoCharts,
  split: NanoSplit,
  index: number,
  { edited = 0.5 }: { readonly edited?: number | undefined } = {},
): Promise<Caption> {
  const { task, bars } = await charts.chart(split, index);
  const { content } = task;
  const random = new RandomStream(charts.options.seed, `nano-captions/${split}`, index);
  const axis = content.orientation ?? "columns";
  const marked = random.uniform() < 1 - edited ? bars : random.sample(bars, random.integer(1, 2));
  const shown = bars.filter((bar) => marked.includes(bar));
  const text = `${axis} ${shown.map(({ value }) => Math.round(value / 10) * 10).join(" ")}\n`;
  if (shown.length === bars.length) return { image: content.image, text };
  const program = toolProgram(
    axis,
    random.pick(effects),
    shown.map(({ name }) => name),
    { aliases: content.aliases },
  );
  const { image } = interpreterOf(content).run(program, content).outcome;
  if (image === undefined) throw new Error(`the program of caption ${index} shows no image: ${program}`);
  return { image: await identifyImage(image), text };
}

/** Copy `index` of a split: half of them end in a program for the question, half in the list of all names; where tools are told in context, all. */
export function copy(charts: NanoCharts, split: NanoSplit, index: number): Copy {
  const { seed, bars, tools } = charts.options;
  const random = new RandomStream(seed, `nano-copies/${split}`, index);
  const names = random.sample(charts.names[split], random.integer(...bars));
  const list = nameList(names);
  const asked = askedOf(names, random);
  if (random.uniform() < 0.5 || tools === "in_context")
    return { query: `${list}\nList the names.\n`, text: `${list}\n` };
  return {
    query: `${list}\n${questionAbout(asked, random).text}\n`,
    text: toolProgram(random.pick(axes), random.pick(effects), asked),
  };
}

/** Training chart `index` under names of a split. Only its axis is as the picture shows it; of the charts' quality, wrong axes count. */
export async function renamed(charts: NanoCharts, split: NanoSplit, index: number): Promise<Renamed> {
  const { task, bars } = await charts.chart("train", index);
  const { content } = task;
  const random = new RandomStream(charts.options.seed, `nano-renamed/${split}`, index);
  const names = random.sample(namesBeside(content, charts.names[split]), bars.length);
  const asked = askedOf(names, random);
  const shown = content.orientation ?? "columns";
  const axis = pickFault(charts.options.quality, random) === "wrong_axis" ? otherAxis(shown) : shown;
  const question = questionAbout(asked, random);
  const under = (boxes: Boxes) => boxes.map((box, i) => ({ ...box, name: names[i]! }));
  return {
    task: {
      ...task,
      content: {
        ...content,
        columns: under(content.columns),
        rows: under(content.rows),
        question: question.text,
      },
    },
    text: toolProgram(axis, effectFor(question.kind, charts, random), asked, styleOf(charts, task)),
  };
}

/** Names that are not those of tools. */
function namesBeside({ aliases = [] }: VisualTask["content"], names: readonly string[]): string[] {
  return names.filter((name) => !aliases.some((alias) => alias.name === name));
}

/** As Python and the compact prompt write it. */
function nameList(names: readonly string[]): string {
  return `[${names.map((name) => JSON.stringify(name)).join(", ")}]`;
}

/** One or two of the names, in their order. */
function askedOf(names: readonly string[], random: RandomStream): string[] {
  const chosen = random.sample(names, random.integer(1, 2));
  return names.filter((name) => chosen.includes(name));
}

function questionAbout(asked: readonly string[], random: RandomStream): { kind: QuestionKind; text: string } {
  const kind = asked.length > 1 ? "above" : random.pick(["value", "over"] as const);
  return { kind, text: questionText(kind, asked) };
}

function effectFor(kind: QuestionKind, { options }: NanoCharts, random: RandomStream): Effect {
  const { effects: allowed } = options.style;
  return allowed === "by_question" ? effectOf[kind] : random.pick(allowed);
}

function styleOf({ options }: NanoCharts, { content }: VisualTask): ProgramOptions {
  return { aliases: content.aliases, form: options.style.program };
}

function pickFault(
  { wrongAxis, noCall, malformed }: DemonstrationQuality,
  random: RandomStream,
): DemonstrationFault | undefined {
  const share = random.uniform();
  if (share < wrongAxis) return "wrong_axis";
  if (share < wrongAxis + noCall) return "no_call";
  return share < wrongAxis + noCall + malformed ? "malformed" : undefined;
}

function otherAxis(axis: Orientation): Orientation {
  return axis === "columns" ? "rows" : "columns";
}

/** A program with one of the slips that models make: a bracket short, a quote short, a fence left open. */
function spoil(program: string, random: RandomStream): string {
  const spoilt = [program.replace("))\n", ")\n"), program.replace('"]', "]"), program.replace("\n```\n", "\n")];
  return random.pick(spoilt);
}
