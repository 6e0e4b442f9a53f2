/** Boxes are exact, pixels are the same everywhere, and what cannot be drawn is refused. */

import type { RawImage } from "@iapo/rollout-trace";
import { identifyImage } from "@iapo/rollout-trace";
import type { NamedBox } from "@iapo/visual-tools";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { type BarChart, renderBarChart } from "../src/render/bar-chart.ts";
import { isDrawable, textWidth } from "../src/render/font.ts";
import { loadRasterizer, type Rasterizer } from "../src/render/rasterizer.ts";
import { barChartStyles, tableStyles } from "../src/render/styles.ts";
import { defaultTableOptions, renderTable, type Table } from "../src/render/table.ts";

let rasterize: Rasterizer;
beforeAll(async () => {
  rasterize = await loadRasterizer();
});

const plain = barChartStyles[0] as (typeof barChartStyles)[number];
const axis = { maximum: 100, step: 10, labelStep: 50 };

/** Pixels that differ, and how many of them lie outside of a box. */
function compare(a: RawImage, b: RawImage, box: NamedBox): { changed: number; outside: number } {
  expect([b.width, b.height]).toEqual([a.width, a.height]);
  const counts = { changed: 0, outside: 0 };
  for (let pixel = 0; pixel < a.width * a.height; pixel += 1) {
    const at = 3 * pixel;
    if (a.data[at] === b.data[at] && a.data[at + 1] === b.data[at + 1] && a.data[at + 2] === b.data[at + 2]) continue;
    counts.changed += 1;
    const [x, y] = [pixel % a.width, Math.floor(pixel / a.width)];
    if (x < box.x1 || x > box.x2 || y < box.y1 || y > box.y2) counts.outside += 1;
  }
  return counts;
}

const reversed = (text: string): string => [...text].reverse().join("");
const word = fc.stringMatching(/^[A-Za-z]{2,8}$/).filter((text) => reversed(text) !== text && textWidth(text, 9) < 44);
const chart = fc.record({
  orientation: fc.constantFrom("columns" as const, "rows" as const),
  names: fc.uniqueArray(word, { minLength: 3, maxLength: 6, selector: (name) => [name, reversed(name)].sort().join() }),
  values: fc.array(fc.integer({ min: 5, max: 100 }), { minLength: 6, maxLength: 6 }),
  style: fc.constantFrom(...barChartStyles),
  size: fc.constantFrom(112, 140, 224),
  chosen: fc.nat(5),
});

test("a bar and its name lie wholly in their own box", () => {
  fc.assert(
    fc.property(chart, ({ orientation, names, values, style, size, chosen }) => {
      const at = chosen % names.length;
      const bars = names.map((name, index) => ({ name, value: values[index] ?? 0 }));
      const given: BarChart = { orientation, bars, axis, width: size, height: size, fontSize: 9, style };
      const picture = renderBarChart(given, rasterize);
      const boxes = orientation === "columns" ? picture.columns : picture.rows;
      expect(boxes.map((box) => box.name)).toEqual(names);
      const box = boxes[at] as NamedBox;
      const without = bars.with(at, { name: box.name, value: 0 });
      const renamed = bars.with(at, { name: reversed(box.name), value: values[at] ?? 0 });
      for (const other of [without, renamed]) {
        const { changed, outside } = compare(
          picture.image,
          renderBarChart({ ...given, bars: other }, rasterize).image,
          box,
        );
        expect(changed).toBeGreaterThan(0);
        expect(outside).toBe(0);
      }
    }),
    { numRuns: process.env.IAPO_FULL === "1" ? 300 : 30 },
  );
});

test("boxes of an axis do not overlap and lie in the picture", () => {
  fc.assert(
    fc.property(chart, ({ orientation, names, values, style, size }) => {
      const bars = names.map((name, index) => ({ name, value: values[index] ?? 0 }));
      const { columns, rows } = renderBarChart(
        { orientation, bars, axis, width: size, height: size, fontSize: 9, style },
        rasterize,
      );
      const boxes = [...columns, ...rows];
      for (const [index, box] of boxes.entries()) {
        expect(Math.min(box.x1, box.y1)).toBeGreaterThanOrEqual(0);
        expect(Math.max(box.x2, box.y2)).toBeLessThan(size);
        const next = boxes[index + 1];
        if (next !== undefined) expect(orientation === "columns" ? next.x1 - box.x2 : next.y1 - box.y2).toBe(1);
      }
    }),
    { numRuns: 20 },
  );
});

test("a cell's text lies wholly in the boxes of its column and its row", () => {
  const table = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 })).chain(([columns, rows]) =>
    fc.record({
      columns: fc.array(word, { minLength: columns, maxLength: columns }),
      rows: fc.array(fc.array(word, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
      r: fc.nat(rows - 1),
      c: fc.nat(columns - 1),
      style: fc.constantFrom(...tableStyles),
    }),
  );
  fc.assert(
    fc.property(table, ({ columns, rows, r, c, style }) => {
      const given: Table = { columns, rows };
      const options = { ...defaultTableOptions, style };
      const picture = renderTable(given, options, rasterize);
      const row = rows[r] as string[];
      const other = renderTable(
        { columns, rows: rows.with(r, row.with(c, reversed(row[c] ?? ""))) },
        options,
        rasterize,
      );
      const [column, line] = [picture.columns[c] as NamedBox, picture.rows[r + 1] as NamedBox];
      const cell = { name: "", x1: column.x1, x2: column.x2, y1: line.y1, y2: line.y2 };
      const { changed, outside } = compare(picture.image, other.image, cell);
      expect(changed).toBeGreaterThan(0);
      expect(outside).toBe(0);
      expect(picture.rows).toHaveLength(rows.length + 1);
    }),
    { numRuns: 20 },
  );
});

test("the same pixels on every machine", async () => {
  const bars = ["Indonesia", "Özil", "Ωmega"].map((name, index) => ({ name, value: 30 + 20 * index }));
  const ids: string[] = [];
  for (const orientation of ["columns", "rows"] as const) {
    const { image } = renderBarChart(
      { orientation, bars, axis, width: 112, height: 112, fontSize: 9, style: plain },
      rasterize,
    );
    ids.push((await identifyImage(image)).id.slice(0, 16));
  }
  const style = tableStyles[0] as (typeof tableStyles)[number];
  const { image } = renderTable(
    { columns: ["A & B", "<b>"], rows: [["\u2014 \u20ac 5", "\u0416"]] },
    { ...defaultTableOptions, style },
    rasterize,
  );
  ids.push((await identifyImage(image)).id.slice(0, 16));
  expect(ids).toMatchInlineSnapshot(`
    [
      "93b8413a0912ba42",
      "b03a2742885ce3ab",
      "ee216090b04a924c",
    ]
  `);
});

test("what cannot be drawn is refused with a reason", () => {
  const bars = [
    { name: "a", value: 1 },
    { name: "b", value: 2 },
  ];
  const given: BarChart = { orientation: "columns", bars, axis, width: 112, height: 112, fontSize: 9, style: plain };
  const draw = (change: Partial<BarChart>) => () => renderBarChart({ ...given, ...change }, rasterize);
  expect(draw({ bars: [] })).toThrow(/at least one bar/);
  expect(draw({ bars: [...bars, ...bars] })).toThrow(/different name/);
  expect(draw({ bars: [{ name: "a", value: 101 }] })).toThrow(/outside of 0\.\.100/);
  expect(draw({ bars: [{ name: "a", value: Number.NaN }] })).toThrow(/outside/);
  expect(draw({ bars: [{ name: "東京", value: 1 }] })).toThrow(/U\+6771/);
  expect(draw({ bars: [{ name: "a very very long name of a bar", value: 1 }] })).toThrow(/too few/);
  expect(draw({ width: 100_000, height: 100_000 })).toThrow(/more than/);
  const style = tableStyles[0] as (typeof tableStyles)[number];
  const table = (columns: string[], rows: string[][]) => () =>
    renderTable({ columns, rows }, { ...defaultTableOptions, style }, rasterize);
  expect(table(["a", "b"], [["1"]])).toThrow(/row 1 has 1 cells/);
  expect(table([], [])).toThrow(/no columns/);
  expect(
    table(
      ["a"],
      Array.from({ length: 100_000 }, () => ["1"]),
    ),
  ).toThrow(/more than/);
  expect(table(["\u0000"], [])).not.toThrow();
  expect(() => textWidth("\u0000", 10)).toThrow(/U\+0000/);
});

test("the font knows what it can draw", () => {
  expect(isDrawable("Größe 5 € – Łódź, São Paulo")).toBe(true);
  expect(isDrawable("東京")).toBe(false);
  expect(textWidth("ii", 20)).toBeCloseTo(2 * textWidth("i", 20), 10);
  expect(textWidth("W", 20)).toBeGreaterThan(textWidth("i", 20));
  expect(textWidth("a", 10, "bold")).toBeGreaterThan(textWidth("a", 10));
});
