/**
 * Configurations of jobs: recipes with some settings replaced, in the file or behind it, by what the schema takes and by what it does not. Each is
 * loaded, or refused by a ConfigError of one screen; what is loaded is what the JSON Schema for editors allows, read back by zod's own reader of such
 * schemas, and says the same when it is loaded again. Run as `pnpm fuzz job-configs`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ConfigError, type SchemaNode } from "@iapo/run-config";
import fc from "fast-check";
import { stringify } from "yaml";
import { z } from "zod";
import { jobConfig } from "../src/config/load.ts";
import { recipes } from "../src/config/recipes.ts";

const runs = Number(process.env.IAPO_FUZZ_RUNS ?? 10_000);
const seed = Number(process.env.IAPO_FUZZ_SEED ?? 1);
const MOST_GROWTH = 400 * 2 ** 20;

const schema = jobConfig.jsonSchema;
const second = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
const definitions = (schema.$defs ?? {}) as Readonly<Record<string, SchemaNode>>;
const resolved = (node: SchemaNode): SchemaNode =>
  typeof node.$ref === "string" ? (definitions[node.$ref.split("/").at(-1) ?? ""] ?? node) : node;

type Place = { readonly path: readonly string[]; readonly node: SchemaNode };

/** Every key of the schema, with what it takes. */
function placesOf(given: SchemaNode, path: readonly string[] = []): Place[] {
  const node = resolved(given);
  const inner = Object.entries(node.properties ?? {}).flatMap(([name, child]) => placesOf(child, [...path, name]));
  const choices = [...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap((choice) => placesOf(choice, path));
  return [...(path.length > 0 ? [{ path, node }] : []), ...inner, ...choices];
}
const places = placesOf(schema).filter(({ path }) => path[0] !== "extends" && path.length < 8);

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    "",
    "NaN",
    -1,
    0,
    1e300,
    2 ** 53,
    1.5,
    true,
    [],
    {},
    { a: 1 },
    [1, 2],
    "\u001b[2J",
    "../..",
  ),
  fc.string({ maxLength: 8 }),
  fc.jsonValue({ maxDepth: 2 }),
);

function takenBy(given: SchemaNode): fc.Arbitrary<unknown> {
  const node = resolved(given);
  const choices = [...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  if (choices.length > 0) return fc.oneof(...choices.map(takenBy));
  if (node.const !== undefined) return fc.constant(node.const);
  if (node.enum) return fc.constantFrom(...node.enum);
  const [low, high] = [Number(node.minimum ?? node.exclusiveMinimum ?? 0), Number(node.maximum ?? 100)];
  switch (node.type) {
    case "integer":
      return fc.integer({ min: low, max: Math.max(low, Math.min(high, low + 50)) });
    case "number":
      return fc.double({ min: low, max: Math.max(low, Math.min(high, 1)), noNaN: true });
    case "boolean":
      return fc.boolean();
    case "string":
      return fc.constantFrom("a", "http://localhost:1/v1", "./reward.mjs", "words");
    case "object":
      return fc.record(Object.fromEntries(Object.entries(node.properties ?? {}).map(([k, v]) => [k, takenBy(v)])), {
        requiredKeys: [],
      });
    case "array":
      return node.items ? fc.array(takenBy(node.items as SchemaNode), { maxLength: 3 }) : odd;
    default:
      return odd;
  }
}

const edit = fc.constantFrom(...places).chain(({ path, node }) =>
  fc.record({
    path: fc.oneof(
      { weight: 30, arbitrary: fc.constant(path) },
      fc.constant([...path, "constructor"]),
      fc.constant([...path.slice(0, -1), `${path.at(-1)}z`]),
    ),
    value: fc.oneof({ weight: 4, arbitrary: takenBy(node) }, odd),
  }),
);
const ready = [...recipes.keys()].filter((name) => name.startsWith("nano-"));
const testCase = fc.record({
  recipe: fc.constantFrom(...ready),
  edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
  behind: fc.boolean(),
});

/** `{ a: { b: value } }`, over what is there. */
function put(target: Record<string, unknown>, [name = "", ...rest]: readonly string[], value: unknown): void {
  const before = Object.hasOwn(target, name) ? target[name] : undefined;
  const isMapping = typeof before === "object" && before !== null && !Array.isArray(before);
  const inner = isMapping ? { ...before } : {};
  if (rest.length > 0) put(inner as Record<string, unknown>, rest, value);
  Object.defineProperty(target, name, {
    value: rest.length > 0 ? inner : value,
    ...{ enumerable: true, writable: true, configurable: true },
  });
}

const counts = { loaded: 0, refused: 0 };
const folder = mkdtempSync(join(tmpdir(), "fuzz-job-configs-"));
process.chdir(folder); // every path is one of `.`

function problemOf({
  recipe,
  edits,
  behind,
}: {
  recipe: string;
  edits: readonly { path: readonly string[]; value: unknown }[];
  behind: boolean;
}) {
  const file: Record<string, unknown> = { extends: recipe };
  const [last] = edits.slice(-1);
  for (const { path, value } of behind ? edits.slice(0, -1) : edits) put(file, path, value);
  writeFileSync("run.yaml", stringify(file));
  try {
    const sets = behind && last ? [`${last.path.join(".")}=${JSON.stringify(last.value)}`] : [];
    const { resolved: whole, config } = jobConfig.load("run.yaml", sets);
    counts.loaded++;
    if (({} as { polluted?: unknown }).polluted !== undefined) return "it polluted the prototype";
    const [issue] = second.safeParse(whole).error?.issues ?? [];
    if (issue) return `taken, though forbidden: ${issue.path.join(".")}: ${issue.message}`;
    writeFileSync("again.yaml", stringify(whole));
    const same = isDeepStrictEqual(jobConfig.load("again.yaml").config, config);
    return same ? undefined : "loaded again, it is something else";
  } catch (error) {
    if (!(error instanceof ConfigError)) return `no ConfigError: ${error instanceof Error ? error.stack : error}`;
    counts.refused++;
    if (error.message.length > 6000) return `a message of ${error.message.length} characters`;
    return /[^\P{Cc}\n]/u.test(error.message) ? "a control character in a message" : undefined;
  }
}

const start = performance.now();
const before = process.memoryUsage.rss();
try {
  fc.assert(
    fc.property(testCase, (made) => {
      const problem = problemOf(made);
      if (problem !== undefined) throw new Error(problem);
    }),
    { numRuns: runs, seed },
  );
  const growth = process.memoryUsage.rss() - before;
  if (growth > MOST_GROWTH) throw new Error(`resident memory grew by ${growth} bytes`);
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(JSON.stringify({ runs, ...counts, seed, grownMiB: Math.round(growth / 2 ** 20), seconds }));
} finally {
  process.chdir(tmpdir());
  rmSync(folder, { recursive: true });
}
