// A table as a picture with exact boxes: one for each column (header included) and one for each row, the header row
// first and named by its first cell, as in the ReFocus tables; what has no name is called by its place. Boxes of one axis tile the table without overlap.
import type { NamedBox } from "@iapo/visual-tools";
import { VqaTasksError } from "../error.ts";
import { drawable, type FontWeight, textWidth } from "./font.ts";
import { checkSize, type Picture, uniqueNames } from "./picture.ts";
import type { Rasterizer } from "./rasterizer.ts";
import type { TableStyle } from "./styles.ts";
import { pixelLine, rectangle, svgDocument, textLine } from "./svg.ts";

export type Table = { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };

export interface TableOptions {
  readonly style: TableStyle;
  /** In pixels. */
  readonly fontSize: number;
  /** Words wrap where a column would be wider than this, in pixels; a longer word widens it. */
  readonly maximumColumnWidth: number;
}

export const defaultTableOptions: Omit<TableOptions, "style"> = { fontSize: 14, maximumColumnWidth: 220 };

const MARGIN = 8;
const PADDING_X = 8;
const PADDING_Y = 5;

/** @throws VqaTasksError `undrawable` where a row has another length than the header, a cell has no glyphs; `too_large`. */
export function renderTable(table: Table, options: TableOptions, rasterize: Rasterizer): Picture {
  const { style, fontSize } = options;
  const cells = cellLines(table, options);
  const columnEdges = edges(columnWidths(cells, fontSize));
  const rowEdges = edges(cells.map((row) => rowHeight(row, fontSize)));
  const width = (columnEdges.at(-1) ?? 0) + MARGIN + 1;
  const height = (rowEdges.at(-1) ?? 0) + MARGIN + 1;
  checkSize(width, height);
  const elements = [
    ...backgrounds(columnEdges, rowEdges, style),
    ...lines(columnEdges, rowEdges, style),
    ...cells.flatMap((row, r) =>
      row.flatMap((text, c) => cellText(text, columnEdges[c] ?? 0, rowEdges[r] ?? 0, r, options)),
    ),
  ];
  const [x1, x2] = [columnEdges[0] ?? 0, columnEdges.at(-1) ?? 0];
  const [y1, y2] = [rowEdges[0] ?? 0, rowEdges.at(-1) ?? 0];
  const starters = [table.columns[0] ?? "", ...table.rows.map((row) => row[0] ?? "")];
  return {
    image: rasterize(svgDocument(width, height, "#ffffff", elements)),
    columns: uniqueNames(table.columns, "column").map(
      (name, c): NamedBox => ({ name, x1: columnEdges[c] ?? 0, y1, x2: (columnEdges[c + 1] ?? 0) - 1, y2 }),
    ),
    rows: uniqueNames(starters, "row").map(
      (name, r): NamedBox => ({ name, x1, y1: rowEdges[r] ?? 0, x2, y2: (rowEdges[r + 1] ?? 0) - 1 }),
    ),
  };
}

const SMALLEST_FONT = 7;

/** As {@link renderTable}, in a smaller font where the picture would be too large. */
export function renderFitting(table: Table, options: TableOptions, rasterize: Rasterizer): Picture {
  for (let fontSize = options.fontSize; ; fontSize -= 1) {
    try {
      return renderTable(table, { ...options, fontSize }, rasterize);
    } catch (error) {
      if (fontSize <= SMALLEST_FONT || !(error instanceof VqaTasksError && error.code === "too_large")) throw error;
    }
  }
}

/** Every cell as wrapped lines; the header is row 0. */
function cellLines(table: Table, { fontSize, maximumColumnWidth }: TableOptions): string[][][] {
  const { columns, rows } = table;
  if (columns.length === 0) throw new VqaTasksError("undrawable", "the table has no columns");
  rows.forEach((row, index) => {
    if (row.length !== columns.length) {
      throw new VqaTasksError(
        "undrawable",
        `table row ${index + 1} has ${row.length} cells, but the header has ${columns.length}`,
      );
    }
  });
  return [columns, ...rows].map((row, r) =>
    row.map((cell) => wrap(drawable(cell), fontSize, weightOf(r), maximumColumnWidth)),
  );
}

function wrap(text: string, size: number, weight: FontWeight, width: number): string[] {
  const done: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(longer, size, weight) > width) {
      done.push(line);
      line = word;
    } else line = longer;
  }
  return [...done, line];
}

function columnWidths(cells: readonly (readonly string[][])[], fontSize: number): number[] {
  return (cells[0] ?? []).map((_, c) => {
    const widths = cells.flatMap((row, r) => (row[c] ?? []).map((line) => textWidth(line, fontSize, weightOf(r))));
    return Math.ceil(Math.max(fontSize, ...widths)) + 2 * PADDING_X + 1;
  });
}

function rowHeight(row: readonly string[][], fontSize: number): number {
  return Math.max(...row.map((lines) => lines.length)) * lineHeight(fontSize) + 2 * PADDING_Y + 1;
}

/** Pixel of the line before each part, and of the line after the last one. */
function edges(sizes: readonly number[]): number[] {
  const found = [MARGIN];
  for (const size of sizes) found.push((found.at(-1) ?? 0) + size);
  return found;
}

function backgrounds(columnEdges: readonly number[], rowEdges: readonly number[], style: TableStyle): string[] {
  const left = columnEdges[0] ?? 0;
  const width = (columnEdges.at(-1) ?? 0) - left;
  return rowEdges.slice(0, -1).map((top, r) => {
    const fill = r === 0 ? style.header : (style.rows[(r - 1) % style.rows.length] ?? "#ffffff");
    return rectangle(left, top, width, (rowEdges[r + 1] ?? 0) - top, fill);
  });
}

function lines(columnEdges: readonly number[], rowEdges: readonly number[], style: TableStyle): string[] {
  const [left, right] = [columnEdges[0] ?? 0, columnEdges.at(-1) ?? 0];
  const [top, bottom] = [rowEdges[0] ?? 0, rowEdges.at(-1) ?? 0];
  const verticals = style.grid ? columnEdges : [];
  return [
    ...rowEdges.map((y) => pixelLine(left, y, right, y, style.line)),
    ...verticals.map((x) => pixelLine(x, top, x, bottom, style.line)),
  ];
}

function cellText(text: readonly string[], left: number, top: number, row: number, options: TableOptions): string[] {
  const { style, fontSize } = options;
  return text.map((line, index) =>
    textLine(line, {
      x: left + 1 + PADDING_X,
      y: top + 1 + PADDING_Y + index * lineHeight(fontSize) + fontSize * 0.95,
      size: fontSize,
      fill: row === 0 ? style.headerInk : style.ink,
      weight: weightOf(row),
    }),
  );
}

function weightOf(row: number): FontWeight {
  return row === 0 ? "bold" : "regular";
}

function lineHeight(fontSize: number): number {
  return Math.ceil(fontSize * 1.3);
}
