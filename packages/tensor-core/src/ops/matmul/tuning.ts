// Choices among the kernels of real GPUs that give equal bits, so that a race may decide: `iapo doctor --tune` holds one, and a table of adapters keeps it.
import type { Device } from "../../device/device.ts";
import { dispatchFewRows, fitsFewRows } from "./few-rows.ts";
import { fitsMatrix } from "./matrix.ts";
import { dispatchPanels, fitsPanels, NARROW_TILE, type PanelTile, SQUARE_TILE, WIDE_TILE } from "./panels.ts";
import { elementOf, type Problem } from "./problem.ts";
import { fitsSplit } from "./split.ts";

const tiles: Readonly<Record<string, PanelTile>> = { wide: WIDE_TILE, square: SQUARE_TILE, narrow: NARROW_TILE };

/** A kernel with what can be chosen of it. */
interface Way {
  fits(device: Device, problem: Problem): boolean;
  dispatch(device: Device, problem: Problem): void;
}

/** Whether something is done before or behind its sums, which panels do not do. */
const adds = ({ finish: { residual, lowRank, gate = false }, prologue }: Problem): boolean =>
  gate || (residual ?? lowRank ?? prologue) !== undefined;

function panels(tile: PanelTile, isSplit: boolean): Way {
  const splitsOf = ({ k, block }: Problem): number => (isSplit ? Math.ceil(k / block) : 1);
  return {
    fits: (device, problem) => fitsPanels(problem) && !adds(problem) && (!isSplit || fitsSplit(device, problem)),
    dispatch: (device, problem) => dispatchPanels(device, problem, { tile, splits: splitsOf(problem) }),
  };
}

const fewRows = (rows: 1 | 2 | 4 | 8): Way => ({
  fits: (_, problem) => fitsFewRows(problem) && !problem.finish.gate && problem.m > rows / 2 && 4 * rows > problem.m,
  dispatch: (device, problem) => dispatchFewRows(device, problem, { rows }),
});

const ways: ReadonlyMap<string, Way> = new Map([
  ...([1, 2, 4, 8] as const).map((rows) => [`few rows, ${rows} at once`, fewRows(rows)] as const),
  ...Object.entries(tiles).flatMap(([name, tile]) => [
    [`${name} tile`, panels(tile, false)] as const,
    [`${name} tile, K split`, panels(tile, true)] as const,
  ]),
]);

/** By products, as {@link tuningKey} names them: the name of the choice. */
export type Tuning = Readonly<Record<string, string>>;

/** Products of one key share a choice: rows count up to the next power of two. */
export function tuningKey(problem: Problem): string {
  const { layout, m, n, k } = problem;
  return `${layout}/${elementOf(problem)}/${2 ** Math.ceil(Math.log2(m))}/${n}/${k}`;
}

const KEY = /^(nt|nn|tn)\/(f32|bf16|int8)\/\d{1,9}\/\d{1,9}\/\d{1,9}$/;
const MOST_KEYS = 4096;

/** Whether a value from a file is a table of choices. */
export function isTuning(value: unknown): value is Tuning {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MOST_KEYS && entries.every(([key, name]) => KEY.test(key) && ways.has(name));
}

/** Names of what can compute the problem on this device. Tensor cores give bits of their own, so what they take is not to be chosen. */
export function choicesFor(device: Device, problem: Problem): string[] {
  if (device.facts.family === "software" || problem.batch !== 1) return [];
  if (fitsMatrix(device, problem) && !fitsFewRows(problem)) return [];
  return [...ways].flatMap(([name, way]) => (way.fits(device, problem) ? [name] : []));
}

/** Computes it by a choice. False where that cannot be: then nothing was recorded. */
export function dispatchChoice(device: Device, problem: Problem, name: string): boolean {
  const way = ways.get(name);
  if (!way?.fits(device, problem)) return false;
  way.dispatch(device, problem);
  return true;
}
