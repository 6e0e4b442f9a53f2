/**
 * Rows of every format with values that do not belong there. Each becomes tasks that hold what a task must, or a bad row with a short reason; nothing is
 * thrown, nothing passes unseen, and memory stays bounded. Prints a report as JSON, and throws on a finding. Run as `pnpm fuzz rows`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePng } from "@iapo/visual-tools/sharp";
import fc from "fast-check";
import { type DataFormat, dataFormats } from "../src/loaders/formats.ts";
import { loadTasks } from "../src/loaders/load.ts";
import { checkTask } from "../src/task.ts";
import { character } from "./values.ts";

const runs = Number(process.argv[2] ?? process.env.IAPO_FUZZ_RUNS ?? 10_000);
const seed = Number(process.argv[3] ?? process.env.IAPO_FUZZ_SEED ?? Date.now() % 1e9);
const start = performance.now();

const folder = mkdtempSync(join(tmpdir(), "fuzz-rows-"));
const png = Buffer.from(await encodePng({ width: 16, height: 16, channels: 3, data: new Uint8Array(768) }));
writeFileSync(join(folder, "a.png"), png);
writeFileSync(join(folder, "t.csv"), '"Name","",""\n"Ann","1","東"\n"","2","3"\n');

const box = { x1: 1, y1: 1, x2: 9, y2: 9 };
const sound: Readonly<Record<DataFormat, Record<string, unknown>>> = {
  tasks: {
    id: "a",
    image: "a.png",
    question: "?",
    answers: ["x"],
    columns: [{ name: "A", ...box }],
    orientation: "columns",
  },
  refocus: {
    id: "a",
    question: "?",
    answer: "B",
    image: "a.png",
    source: "chartqa_h_bar",
    y_values: ["A"],
    y_values_bbox: [box],
  },
  vtool_v1: {
    figure_id: "f",
    query: "?",
    answer: "x",
    images: "a.png",
    metadata: { type: "v_bar", x_values_bbox: { A: box } },
  },
  vtool_v2: {
    id: "1",
    images: "a.png",
    reward_model: { ground_truth: "x" },
    extra_info: { question: "?", tools_kwargs: { metadata: { source: "chartqa_v_bar", x_values_bbox: { A: box } } } },
  },
  tablevqabench: { qa_id: "nu-1", question: "?", gt: "A|B", image: "a.png" },
  chartqa: { imgname: "a.png", query: "?", label: "5" },
  charxiv: { figure_id: 1, reasoning_q: "?", reasoning_a: "A", descriptive_q1: 1, descriptive_a1: "T", image: "a.png" },
  tabfact: { id: "1", table: "t.csv", statement: "s", label: 1, split: "" },
  wikitablequestions: { id: "nt-1", utterance: "?", context: "t.csv", targetValue: "a|b" },
};

/** The same data on the hub. */
const onHub: Readonly<Partial<Record<DataFormat, Record<string, unknown>>>> = {
  tabfact: { id: 0, table_id: "t.csv", table_text: "a#b\n1#\n", table_caption: "c", statement: "s", label: 1 },
  wikitablequestions: {
    id: "nt-0",
    question: "?",
    answers: ["x"],
    table: { header: ["a", ""], rows: [["1", "2"]], name: "t.csv" },
  },
};

const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    "",
    0,
    -1,
    1e308,
    Number.POSITIVE_INFINITY,
    true,
    [],
    {},
    "\u0000",
    "\u001b[2J",
    "../../etc/passwd",
    "a/".repeat(2000),
    "x".repeat(20_000),
    "data:image/png;base64,AAAA",
    png.toString("base64"),
    "__proto__",
    "a.png",
    "t.csv",
    { x1: 5, y1: 5, x2: 1, y2: 1 },
    [1, 2, 3, 4],
    ["A", "A"],
    [[[[]]]],
  ),
  fc.string({ unit: character, maxLength: 30 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** One place of the row holds something else, is gone, or is there besides. */
const row = fc.tuple(fc.constantFrom(...dataFormats), fc.boolean()).chain(([format, hub]) => {
  const whole = (hub ? onHub[format] : undefined) ?? sound[format];
  return fc.record({
    format: fc.constant(format),
    whole: fc.constant(whole),
    key: fc.constantFrom(...Object.keys(whole), "extra", "__proto__", "key", "entry"),
    inner: fc.boolean(),
    value: odd,
    act: fc.nat(9),
  });
});

function mutated({
  whole,
  key,
  inner,
  value,
  act,
}: {
  whole: Record<string, unknown>;
  key: string;
  inner: boolean;
  value: unknown;
  act: number;
}): unknown {
  if (act === 0) return whole;
  if (act === 1) return value;
  const entries = new Map<string, unknown>(Object.entries(structuredClone(whole)));
  const old = entries.get(key);
  if (act === 2) entries.delete(key);
  else if (inner && Array.isArray(old)) entries.set(key, [value, ...old]);
  else if (inner && typeof old === "object" && old !== null)
    entries.set(key, { ...old, [Object.keys(old)[0] ?? "x"]: value });
  else entries.set(key, value);
  return Object.fromEntries(entries);
}

const counts = { rows: 0, tasks: 0, bad: 0 };
const loadedOf: Record<string, number> = {};
let most = 0;

await fc.assert(
  fc.asyncProperty(row, async (made) => {
    const text = JSON.stringify(mutated(made));
    const files = [{ name: "rows.jsonl", open: async () => new Blob([text]) }];
    const stream = loadTasks({ format: made.format, files, images: folder, tables: folder, onBadRow: "skip" });
    for await (const task of stream) {
      checkTask(task);
      if (task.content.answers.length === 0) throw new Error(`a task without answers from ${text}`);
      counts.tasks += 1;
      loadedOf[made.format] = (loadedOf[made.format] ?? 0) + 1;
    }
    const { rows, loaded, skipped, badRows } = stream.report;
    if (rows !== 1 || loaded + skipped < 1)
      throw new Error(`${text} was passed over: ${JSON.stringify(stream.report)}`);
    for (const { reason } of badRows)
      if (reason.length > 4000 || /[A-Za-z0-9+/]{400}/.test(reason))
        throw new Error(`a reason of ${reason.length} characters for ${text.slice(0, 200)}`);
    // What this product's own form does not know, or lacks, is never accepted.
    const adds = made.act > 2 && !(made.key in sound.tasks);
    const lacks = made.act === 2 && ["id", "image", "question", "answers", "orientation"].includes(made.key);
    if (made.format === "tasks" && loaded > 0 && (adds || lacks)) throw new Error(`accepted: ${text}`);
    counts.rows += rows;
    counts.bad += skipped;
    most = Math.max(most, process.memoryUsage.rss());
  }),
  { numRuns: runs, seed },
);
rmSync(folder, { recursive: true });
if (most > 2 ** 30) throw new Error(`${most} bytes of memory`);
console.log(
  JSON.stringify({
    runs,
    seed,
    counts,
    loadedOf,
    rssMiB: Math.round(most / 2 ** 20),
    seconds: Math.round((performance.now() - start) / 1000),
  }),
);
