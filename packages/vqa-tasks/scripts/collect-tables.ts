/**
 * Makes data/tables/tables.json: the short names and the numeric columns of real tables, for nano-charts.
 *
 *   node --conditions=@iapo/source scripts/collect-tables.ts WIKITABLEQUESTIONS_FOLDER TABFACT_FOLDER
 *
 * Each folder holds `tables/*.csv` (RFC 4180, header first); TABFACT_FOLDER also `statements.jsonl` with the page of each table.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDelimited } from "../src/loaders/csv.ts";
import type { SourceTable } from "../src/nano/tables.ts";
import { isDrawable, textWidth } from "../src/render/font.ts";

const LEAST_NAMES = 3;
/** In units of the font size: what fits beside or under the bars of a nano-chart. */
const WIDEST_NAME = 4.9;

const [wikiTableQuestions = "", tabFact = ""] = process.argv.slice(2);
const tables = [...collect("wikitablequestions", wikiTableQuestions), ...collect("tabfact", tabFact)];
const target = new URL("../data/tables/tables.json", import.meta.url);
writeFileSync(target, `[\n${tables.map((table) => JSON.stringify(table)).join(",\n")}\n]\n`);
console.log(`${tables.length} tables`);

function collect(source: SourceTable["source"], folder: string): SourceTable[] {
  const pages = readPages(join(folder, "statements.jsonl"));
  return readdirSync(join(folder, "tables"))
    .sort()
    .flatMap((file): SourceTable[] => {
      const [header = [], ...rows] = parseDelimited(readFileSync(join(folder, "tables", file), "utf8"), "rfc4180");
      const id = file.replace(/\.csv$/, "");
      const cells = header.map((_, column) => rows.map((row) => (row[column] ?? "").trim()));
      const names = cells.map(usableNames).filter((list) => list.length >= LEAST_NAMES);
      const columns = header.flatMap((name, column) => {
        const values = numbers(cells[column] ?? []);
        return values.length >= LEAST_NAMES ? [{ name, values }] : [];
      });
      const page = pages.get(id);
      return names.length + columns.length > 0 ? [{ id, source, ...(page ? { page } : {}), names, columns }] : [];
    });
}

function readPages(file: string): Map<string, string> {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return new Map();
  }
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line): [string, string] => {
        const row = JSON.parse(line) as { table: string; page: string | null };
        return [row.table.replace(/^tables\/|\.csv$/g, ""), row.page ?? ""];
      }),
  );
}

/** Different short names that begin with a letter, drawable, and free of what would need escaping in a tool program. */
function usableNames(cells: readonly string[]): string[] {
  return [...new Set(cells)].filter(
    (name) =>
      /^\p{L}[\p{L}\p{N} .&/-]+$/u.test(name) &&
      /\p{L}{2}/u.test(name) &&
      isDrawable(name) &&
      textWidth(name, 1) <= WIDEST_NAME,
  );
}

/** A numeric column: at least 80 % numbers, all of them zero or more, at least two different. */
function numbers(cells: readonly string[]): number[] {
  const values = cells
    .filter((cell) => /^[$€£]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)? ?%?$/.test(cell))
    .map((cell) => Number(cell.replace(/[^\d.]/g, "")));
  return values.length >= 0.8 * cells.length && new Set(values).size > 1 ? values : [];
}
