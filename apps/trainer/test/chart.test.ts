import { logScale } from "@iapo/viewer";
import { expect, test } from "vitest";
import { curveSvg } from "../src/chart/svg.ts";
import { drawCurve } from "../src/chart/terminal.ts";

test("a scale spans whole decades and keeps what lies outside at its ends", () => {
  const scale = logScale([0.5, 0.02]);
  expect([scale.low, scale.high]).toEqual([0.01, 1]);
  expect(scale.position(0.1)).toBeCloseTo(0.5);
  expect([scale.position(0), scale.position(100)]).toEqual([0, 1]);
});

test("a scale of nothing, of one value and of a diverged run is still a scale", () => {
  for (const values of [[], [1], [Number.NaN, Number.POSITIVE_INFINITY], [1e-9]]) {
    const { low, high } = logScale(values);
    expect(low).toBeGreaterThan(0);
    expect(high).toBeGreaterThan(low);
  }
});

test("a falling curve goes from the top left to the bottom right", () => {
  const lines = drawCurve([1, 0.1, 0.01], 12, 4).split("\n").slice(0, 4);
  const curve = lines.map((line) =>
    Array.from(line.slice(8), (character) => (character.codePointAt(0) as number) - 0x2800),
  );
  expect(curve[0]?.[0]).toBeGreaterThan(0);
  expect(curve[0]?.[11]).toBe(0);
  expect(curve[3]?.[0]).toBe(0);
  expect(curve[3]?.[11]).toBeGreaterThan(0);
  for (let column = 0; column < 12; column++) expect(curve.some((row) => (row[column] as number) > 0)).toBe(true);
});

test("every line of the picture is equally wide", () => {
  const widths = drawCurve([3, 2, 1], 20, 5)
    .split("\n")
    .slice(0, 5)
    .map((line) => line.length);
  expect(new Set(widths)).toEqual(new Set([28]));
});

test("the SVG has a point for each value, even for one that is not finite, and escapes its title", () => {
  const svg = curveSvg([1, Number.NaN, 0.1], "a < b & c");
  expect(svg).toContain("a &lt; b &amp; c");
  const points = svg.match(/points="([^"]*)"/)?.[1]?.split(" ") ?? [];
  expect(points).toHaveLength(3);
  expect(points.every((point) => point.split(",").every((part) => Number.isFinite(Number(part))))).toBe(true);
});
