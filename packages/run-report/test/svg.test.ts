// Scales and charts: what is drawn where.
import fc from "fast-check";
import { expect, test } from "vitest";
import { barChart, formatNumber, type LineChart, linearScale, lineChart, logScale, panels } from "../src/index.ts";
import { formatTick } from "../src/svg/scale.ts";
import { attribute, elementsBelow, parseDocument, textOf } from "./support/document.ts";

const anyValue = fc.double({ min: -1e12, max: 1e12 });

test("a linear scale holds all values, and its ticks are even, few and told apart by their labels", () => {
  fc.assert(
    fc.property(fc.array(anyValue, { maxLength: 20 }), (values) => {
      const scale = linearScale(values);
      const finite = values.filter(Number.isFinite);
      expect(scale.high).toBeGreaterThan(scale.low);
      const slack = (scale.high - scale.low) * 1e-6;
      for (const value of finite) {
        expect(value).toBeGreaterThanOrEqual(scale.low - slack);
        expect(value).toBeLessThanOrEqual(scale.high + slack);
        expect(scale.position(value)).toBeCloseTo((value - scale.low) / (scale.high - scale.low), 5);
      }
      expect(scale.ticks.length).toBeGreaterThanOrEqual(2);
      expect(scale.ticks.length).toBeLessThanOrEqual(8);
    }),
  );
  for (const values of [[7.1192, 7.1213], [0, 1], [-0.2, 0.3], [1e-6, 5e-6], [1e7, 9e7], [3], [0]]) {
    const scale = linearScale(values);
    expect(new Set(scale.ticks.map((tick) => formatTick(tick, scale))).size).toBe(scale.ticks.length);
  }
});

test("a logarithmic scale spans whole powers of ten", () => {
  expect(logScale([0.5, 0.02])).toMatchObject({ low: 0.01, high: 1, ticks: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] });
  fc.assert(
    fc.property(fc.array(fc.double({ min: 1e-30, max: 1e30, noNaN: true }), { minLength: 1 }), (values) => {
      const { low, high, ticks, position } = logScale(values);
      for (const value of values) {
        expect(value).toBeGreaterThanOrEqual(low * (1 - 1e-6));
        expect(value).toBeLessThanOrEqual(high * (1 + 1e-6));
      }
      expect(ticks.length).toBeLessThanOrEqual(8);
      expect([position(low), position(high), position(Number.NaN)]).toEqual([0, 1, 1]);
    }),
  );
});

test("numbers are short and near", () => {
  expect([0, 1, 0.8541666, 1234.5678, -0.00012345, 1e6, 12e-7].map(formatNumber)).toEqual([
    "0",
    "1",
    "0.8542",
    "1235",
    "-1.23e-4",
    "1e6",
    "1.2e-6",
  ]);
  fc.assert(
    fc.property(anyValue, (value) => {
      if (Number.isNaN(value)) return;
      expect(Math.abs(Number(formatNumber(value)) - value)).toBeLessThanOrEqual(Math.abs(value) * 0.006);
    }),
  );
});

function elementsOf(chart: LineChart) {
  const { errors, elements } = parseDocument(
    `<!doctype html><html><head><title>x</title></head><body>${lineChart(chart)}</body></html>`,
  );
  expect(errors).toEqual([]);
  return elements;
}

const chart: LineChart = {
  title: "Reward",
  xLabel: "step",
  yLabel: "reward/outcome",
  series: [
    {
      name: "a",
      points: [0, 1, null, 3, Number.NaN, 2].map((y, x) => ({ x, y, ...(y === 3 && { low: 2, high: 4 }) })),
    },
    {
      name: "b",
      sparse: true,
      points: [
        { x: 2, y: 1 },
        { x: 5, y: 2 },
      ],
    },
  ],
  references: [{ name: "teacher", y: 5 }],
};

test("a gap breaks a line; a lone point is a dot; sparse points are dots on a dashed line; a band and a reference are drawn", () => {
  const elements = elementsOf(chart);
  const groups = elements.filter((one) => attribute(one, "data-name") !== undefined);
  const countIn = (group: (typeof elements)[0], name: string): number =>
    elementsBelow(group).filter(({ tagName }) => tagName === name).length;
  const [first, second] = groups as [(typeof elements)[0], (typeof elements)[0]];
  expect(["polyline", "circle", "polygon"].map((name) => countIn(first, name))).toEqual([3, 2, 1]);
  expect(["polyline", "circle", "polygon"].map((name) => countIn(second, name))).toEqual([1, 2, 0]);
  expect(elements.some((one) => one.tagName === "text" && textOf(one) === "teacher")).toBe(true);
  const [root] = elements.filter(({ tagName }) => tagName === "svg");
  expect(attribute(root!, "aria-label")).toBe(
    "Reward. reward/outcome over step. a: 0 at 0 to 2 at 5; b: 1 at 2 to 2 at 5",
  );
});

test("points lie where the axes say", () => {
  const elements = elementsOf(chart);
  const [root] = elements.filter(({ tagName }) => tagName === "svg");
  const numbers = (name: string): number[] => attribute(root!, name)!.split(" ").map(Number);
  const [left, right, top, bottom] = numbers("data-frame") as [number, number, number, number];
  const [x0, x1, y0, y1] = numbers("data-domain") as [number, number, number, number];
  expect([x0, x1]).toEqual([0, 5]);
  const points = elements
    .filter(({ tagName }) => tagName === "polyline")
    .flatMap((line) => attribute(line, "points")!.split(" "));
  const values = points.map((point) => {
    const [x, y] = point.split(",").map(Number) as [number, number];
    return [x0 + ((x - left) / (right - left)) * (x1 - x0), y0 + ((bottom - y) / (bottom - top)) * (y1 - y0)];
  });
  const expected = [
    [0, 0],
    [1, 1],
    [3, 3],
    [5, 2],
    [2, 1],
    [5, 2],
  ];
  expect(values.flat().map((value) => Number(value.toFixed(1)))).toEqual(expected.flat());
});

test("charts of nothing, of one step and of values beyond measure are charts without NaN", () => {
  const values = fc.array(fc.record({ x: fc.nat(), y: fc.option(fc.double()) }), { maxLength: 6 });
  fc.assert(
    fc.property(values, fc.boolean(), (points, logarithmic) => {
      const text = panels([{ ...chart, series: [{ name: "a", points }], logarithmic }]).toString();
      expect(text).not.toMatch(/NaN|Infinity|undefined/);
    }),
    { numRuns: 300 },
  );
});

test("bars of both signs start at the middle line and share one scale", () => {
  const text = barChart({
    title: "t",
    labels: ["query", "image"],
    series: [
      { name: "student", values: [1, -2] },
      { name: "teacher", values: [0.5, null] },
    ],
  }).toString();
  const bars = [...text.matchAll(/<rect x="([\d.]+)" y="\d+" width="([\d.]+)" height="9" fill="#(\w+)"/g)].slice(2);
  const [a, b, c] = bars.map(([, x, width]) => ({ x: Number(x), width: Number(width) }));
  expect(bars).toHaveLength(3);
  expect(a!.width).toBeCloseTo(2 * b!.width, 0);
  expect(c!.width).toBeCloseTo(2 * a!.width, 0);
  expect(c!.x + c!.width).toBeCloseTo(a!.x, 0);
});
