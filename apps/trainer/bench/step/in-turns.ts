// Steps of several recipes, in turns, by part: what else the machine does meets them all.
import type { Recipe, RecipeStep } from "@iapo/grpo";
import type { Device } from "@iapo/tensor-core";

export interface Row {
  readonly case: string;
  readonly unit: string;
  readonly ours: number;
  /** The penalties of all rounds are equal to the bit. */
  readonly correct: boolean;
}

const PLACE = { step: 0, cursor: 0 };
const parts = ["rollout", "penalty", "update"] as const;

type Timed = Record<(typeof parts)[number] | "step" | "cpu", number[]>;

/** Medians of the rounds after a warm-up; one step is repeated. The first recipe is what the others are compared with; it has no penalty. */
export async function timeInTurns(
  device: Device,
  recipes: Readonly<Record<string, Recipe>>,
  rounds: number,
): Promise<Row[]> {
  const times = new Map<string, Timed>();
  const penalties = new Map<string, string>();
  let correct = true;
  for (const recipe of Object.values(recipes)) await recipe.step(PLACE);
  for (let round = 0; round < rounds; round++) {
    for (const [name, recipe] of Object.entries(recipes)) {
      const [start, before] = [performance.now(), cpuSeconds()];
      const made = await recipe.step(PLACE);
      await device.idle();
      const own: Timed = times.get(name) ?? { rollout: [], penalty: [], update: [], step: [], cpu: [] };
      times.set(name, own);
      own.step.push((performance.now() - start) / 1000);
      own.cpu.push(cpuSeconds() - before);
      for (const part of parts) own[part].push((made.timings[part] ?? 0) / 1000);
      const found = penaltiesOf(made);
      correct &&= (penalties.get(name) ?? found) === found;
      penalties.set(name, found);
    }
  }
  for (const recipe of Object.values(recipes)) recipe.dispose();
  return rowsOf(times, correct);
}

function rowsOf(times: ReadonlyMap<string, Timed>, correct: boolean): Row[] {
  const [base] = times.keys();
  const over = (own: Timed, what: "step" | "cpu"): number =>
    median(own[what].map((seconds, round) => seconds / (times.get(base ?? "")?.[what][round] ?? Number.NaN)));
  const row = (name: string, unit: string, ours: number): Row => ({
    ...{ case: name, unit, correct },
    ours: Number(ours.toPrecision(3)),
  });
  return [...times].flatMap(([name, own]) => [
    row(`${name}: step`, "s", median(own.step)),
    ...parts.flatMap((part) => (part === "penalty" && name === base ? [] : [row(`  ${part}`, "s", median(own[part]))])),
    row("  CPU time of all threads", "s", median(own.cpu)),
    ...(name === base
      ? []
      : [
          row(`  over ${base}, median of the rounds`, "times", over(own, "step")),
          row(`  over ${base} in CPU time, median of the rounds`, "times", over(own, "cpu")),
        ]),
  ]);
}

function penaltiesOf({ log }: RecipeStep): string {
  return JSON.stringify(log.samples.map(({ penalty }) => penalty));
}

/** Of a software adapter all of the work, whatever else the machine does. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
