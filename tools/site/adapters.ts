// node --conditions=@iapo/source tools/site/adapters.ts: writes the table of docs/gpu-day.md from the files of bench/adapters, which strangers send too.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { foundOf, type KernelRow, measurementSchema } from "../../apps/trainer/src/doctor/measure/report.ts";

const root = join(import.meta.dirname, "../..");
const marks =
  /(<!-- table: written by `node --conditions=@iapo\/source tools\/site\/adapters.ts` -->\n)[\s\S]*?(<!-- \/table -->)/;
const MOST_BYTES = 2 ** 20;

/** Milliseconds a token, of a quarter of the dispatches of one without fused kernels, and minutes a step, by the model; no such card was measured. */
const modelled = [
  ["RTX 4090", 10.9, 2.4],
  ["H200", 4.9, 2.3],
  ["M3 Max", 26.6, 11.6],
] as const;

const head = [
  ...["adapter", "multiply-add", "copy", "a dispatch", "large products, of the limit", "few rows, of the limit"],
  ...["cases right", "parity", "*modelled:* 3B, a token of 8", "*modelled:* a step"],
];

/** The table as Markdown. */
export function adaptersTable(folder: string = join(root, "bench/adapters")): string {
  const rows = readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => measuredRow(join(folder, file)));
  const cards = modelled.map(([name, milliseconds, minutes]) => [
    `${name}, not measured`,
    ...Array.from({ length: head.length - 3 }, () => ""),
    `${milliseconds} ms`,
    `${minutes} min`,
  ]);
  return [head, head.map(() => "---"), ...rows, ...cards].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function measuredRow(file: string): string[] {
  const text = readFileSync(file, "utf8");
  if (text.length > MOST_BYTES) throw new Error(`${file} is larger than such a file is`);
  const { parts, iapo } = measurementSchema.parse(JSON.parse(text));
  const [adapter, peaks, parity] = [foundOf(parts, "adapters"), foundOf(parts, "peaks"), foundOf(parts, "parity")];
  const conformance = foundOf(parts, "conformance");
  const kernels = foundOf(parts, "kernels")?.kernels ?? [];
  const peak = (name: string): string => {
    const figure = peaks?.[name];
    return figure ? `${Number(figure.value.toPrecision(3))} ${cell(figure.unit)}` : "";
  };
  const cores = adapter?.family === "matrix" ? "by tensor cores, " : "";
  return [
    cell(`${adapter?.device || adapter?.driver || "?"} (${adapter?.driver ?? "?"}), ${cores}iapo ${iapo}`),
    ...["f32 multiply-add", "copy", "dispatch behind a dispatch"].map(peak),
    fraction(kernels, /^matmul_(matrix|panels|workgroup|tile)/),
    fraction(kernels, /^matmul_(few_rows|rows)/),
    conformance ? `${conformance.cases - conformance.wrong.length} of ${conformance.cases}` : "",
    parity ? (parity.holds ? "holds" : "no") : "",
    "",
    "",
  ];
}

/** Of the kernels of a kind: what the peaks allow for all of their calls, over what they took. */
function fraction(kernels: readonly KernelRow[], kind: RegExp): string {
  const meant = kernels.filter(({ kernel }) => kind.test(kernel));
  const taken = meant.reduce((sum, { calls, microseconds }) => sum + calls * microseconds, 0);
  const least = meant.reduce((sum, row) => sum + row.calls * row.microseconds * row.fractionOfLimit, 0);
  return taken > 0 ? `${((100 * least) / taken).toFixed(0)} %` : "";
}

/** A stranger's text in a cell: no line break, no markup. */
function cell(text: string): string {
  return text.replaceAll(/[^\w .,:;+()/-]/g, " ").slice(0, 120);
}

/** `page` with the table of today's files. */
export function withAdapters(page: string): string {
  if (!marks.test(page)) throw new Error("docs/gpu-day.md has no place for the table");
  return page.replace(marks, (_, begin: string, end: string) => `${begin}${adaptersTable()}\n${end}`);
}

if (import.meta.main) {
  const path = join(root, "docs/gpu-day.md");
  writeFileSync(path, withAdapters(readFileSync(path, "utf8")));
}
