/**
 * Random, spoiled and mutated configurations in layers: each is loaded, or refused by a ConfigError of one screen. What is loaded is what
 * the JSON Schema allows, by a second reading of it, and says the same when it is loaded again; where the text is JSON, it is what JSON says.
 * Run as `pnpm fuzz configs`, or with a count: `--runs 10000`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { stringify } from "yaml";
import { ConfigError } from "../src/index.ts";
import { config } from "../test/settings.ts";
import { forbidden } from "./check-json-schema.ts";
import { mutated, pick, type Random, randomOf, spoiled, valueFor, yamlOf } from "./random-config.ts";

const runs = Number(process.env.IAPO_FUZZ_RUNS ?? 10_000);
const seed = Number(process.env.IAPO_FUZZ_SEED ?? 1);
/** CPU milliseconds of one case. */
const LIMIT_MS = 5000;
const MOST_GROWTH = 400 * 2 ** 20;

const { extends: _, ...properties } = config.jsonSchema.properties ?? {};
const whole = { ...config.jsonSchema, properties, required: ["model"] };
const folder = mkdtempSync(join(tmpdir(), "fuzz-configs-"));
process.chdir(folder); // every path is one of `.`
const counts = { loaded: 0, refused: 0 };

function textOf(random: Random): string {
  const { data, hook, ...others } = valueFor(whole, random) as Record<string, unknown>;
  const value = { ...others, model: { directory: "." }, ...(data !== undefined && { data: "run.yaml" }) };
  const base = yamlOf({ ...value, ...(hook !== undefined && { hook: "run.yaml#one" }) }, random);
  switch (random(4)) {
    case 0:
      return base;
    case 1:
      return yamlOf(spoiled(value, random), random);
    default:
      return mutated(base, random);
  }
}

function assignmentsOf(random: Random): string[] {
  if (random(3) > 0) return [];
  const name = pick(
    random,
    "train.steps",
    "train.noCall",
    "output",
    "train",
    "train.betas",
    "__proto__.a",
    "train.schedule",
  );
  const value = pick(
    random,
    "3",
    "",
    "NaN",
    "{kind: constant}",
    "[0.1, 0.2]",
    "*a",
    "&a [*a]",
    "!!set {a}",
    "1.5",
    "zero",
  );
  return [mutatedSometimes(`${name}=${value}`, random)];
}

function mutatedSometimes(text: string, random: Random): string {
  return random(4) === 0 ? mutated(text, random) : text;
}

function check(random: Random): string | undefined {
  const text = textOf(random);
  const extended = random(3) === 0;
  const sets = assignmentsOf(random);
  writeFileSync("run.yaml", text);
  writeFileSync("top.yaml", `extends: run.yaml\n${random(2) === 0 ? "" : "train: {steps: 5}\n"}`);
  const source = extended ? "top.yaml" : "run.yaml";
  try {
    const { resolved, config: settings } = config.load(source, sets);
    counts.loaded++;
    if (({} as { polluted?: unknown }).polluted !== undefined) return "it polluted the prototype";
    const problem = forbidden(whole, resolved);
    if (problem !== undefined) return `taken, though forbidden: ${problem}`;
    writeFileSync("again.yaml", stringify(resolved));
    const again = config.load("again.yaml");
    if (!isDeepStrictEqual(again.config, settings)) return "loaded again, it is something else";
    return extended || sets.length > 0 ? undefined : jsonProblem(text, resolved);
  } catch (error) {
    if (!(error instanceof ConfigError)) return `no ConfigError: ${error instanceof Error ? error.stack : error}`;
    counts.refused++;
    if (error.message.length > 6000) return `a message of ${error.message.length} characters`;
    return /[^\P{Cc}\n]/u.test(error.message) ? "a control character in a message" : undefined;
  }
}

/** Of a text that is JSON: it is YAML too, and means the same, but for paths and empty keys. */
function jsonProblem(text: string, resolved: unknown): string | undefined {
  let expected: { train?: unknown };
  try {
    expected = JSON.parse(text) as { train?: unknown };
  } catch {
    return undefined;
  }
  const train = JSON.stringify((resolved as { train?: unknown }).train);
  const written = JSON.stringify(expected.train, (key, value: unknown) =>
    value === null && key !== "clip" ? undefined : value,
  );
  return train === written ? undefined : `read as ${train}, though JSON says ${written}`;
}

const rss = process.memoryUsage().rss;
try {
  for (let run = 0; run < runs; run++) {
    const before = process.cpuUsage();
    const problem = check(randomOf(seed * 1_000_003 + run));
    const { user, system } = process.cpuUsage(before);
    const slow = (user + system) / 1000 > LIMIT_MS ? `it took ${(user + system) / 1000} ms` : undefined;
    const finding = problem ?? slow;
    if (finding !== undefined) throw new Error(`run ${run} of seed ${seed}: ${finding}`);
  }
  const growth = process.memoryUsage().rss - rss;
  if (growth > MOST_GROWTH) throw new Error(`resident memory grew by ${growth} bytes`);
  if (counts.loaded < runs / 20 || counts.refused < runs / 20) throw new Error(`one-sided: ${JSON.stringify(counts)}`);
  console.log(JSON.stringify({ runs, ...counts, seed, grownMiB: Math.round(growth / 2 ** 20) }));
} finally {
  process.chdir(tmpdir());
  rmSync(folder, { recursive: true });
}
