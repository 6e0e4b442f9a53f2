// Calls that nobody sampled: on each chart two right ones, one on the wrong axis, one with wrong names.
import { transcribeEpisode } from "@iapo/grpo";
import type { Environment, Scribe } from "@iapo/rollout-trace";
import type { Orientation } from "@iapo/visual-tools";
import type { VisualContent } from "@iapo/vqa-tasks";
import { type NanoChart, toolProgram } from "@iapo/vqa-tasks/nano";
import { at } from "../../at.ts";
import { otherAxis } from "../../case-study/definitions.ts";
import type { DiagnoseChart } from "../../diagnose/explain.ts";

const effects = ["highlight", "mask", "draw"] as const;

/** @param index of the chart: the three effects take turns */
export async function forcedCalls(
  { task, question, bars }: NanoChart,
  index: number,
  environment: Environment<VisualContent>,
  student: Scribe,
): Promise<Omit<DiagnoseChart, "teacherCall">> {
  const effect = at(effects, index % effects.length);
  const axis = task.content.orientation ?? "columns";
  const written = async (called: Orientation, names: readonly string[], by = effect) =>
    transcribeEpisode(student, environment, task, [toolProgram(called, by, names, { aliases: task.content.aliases })]);
  return {
    id: task.id,
    blocks: environment.prompt(task),
    calls: {
      right: await written(axis, question.names),
      other_right: await written(axis, question.names, at(effects, (index + 1) % effects.length)),
      wrong_axis: await written(otherAxis(axis), question.names),
      wrong_names: await written(axis, otherNames(bars, question.names)),
    },
  };
}

/** As many names as were asked for, in chart order: names of other bars, and where these are too few, one of the right ones. */
function otherNames(bars: readonly { readonly name: string }[], asked: readonly string[]): string[] {
  const names = bars.map(({ name }) => name);
  const others = names.filter((name) => !asked.includes(name)).slice(0, asked.length);
  const chosen = [...others, ...asked.slice(0, asked.length - others.length)];
  return names.filter((name) => chosen.includes(name));
}
