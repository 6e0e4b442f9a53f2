// Tables as CSV, Markdown and plain text. Names in them are not ours: a cell can neither break its row nor become a formula or markup.
import { escapeText } from "./markup.ts";

export type Cell = string | number | undefined;

/** RFC 4180. */
export function toCsv(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cell = (value: Cell): string => {
    if (value === undefined) return "";
    if (typeof value === "number") return String(value);
    const inert = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

export function toMarkdown(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cell = (value: Cell): string =>
    escapeText(String(value ?? "").replace(/\s+/g, " ")).replace(/[\\|`*_[\]]/g, "\\$&");
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return [
    line(columns.map(cell)),
    line(columns.map((_, i) => (i === 0 ? "---" : "---:"))),
    ...rows.map((row) => line(row.map(cell))),
  ].join("");
}

/** Columns under each other for a terminal, two blanks apart: the first `left` of them begin, the others end at one place. */
export function toText(rows: readonly (readonly string[])[], left = 0): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const padded = (cell: string, column: number): string =>
    column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(padded).join("  ").trimEnd()).join("\n");
}
