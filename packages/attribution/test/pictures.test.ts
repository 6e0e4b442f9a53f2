// Pictures: what they show is where it should be, colors are readable and distinct to color-blind people, and no text escapes its place.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { colorOf, type Rgb, scaleLimit } from "../src/pictures/color.ts";
import {
  AttributionError,
  blockBarsSvg,
  imageHeatMap,
  type Pixels,
  tokenHeatMapAnsi,
  tokenHeatMapHtml,
  tokenMatrixSvg,
} from "../src/pictures/index.ts";

describe("scale", () => {
  test("ends where 98 % of the sum of |scores| is reached", () => {
    // Of a sum of 100, 1 x 90 reach 90, and the one score of 10 the rest.
    expect(scaleLimit([...new Array<number>(90).fill(-1), 10])).toBe(10);
    // 197 of 200 are 98.5 %: the last score is clipped.
    expect(scaleLimit([...new Array<number>(197).fill(1), 3])).toBe(1);
    expect(scaleLimit([0, 0])).toBe(0);
    expect(scaleLimit([])).toBe(0);
    expect(() => scaleLimit([1, Number.NaN])).toThrow(AttributionError);
  });

  test("is symmetric and does not change with the unit of the scores", () => {
    const scores = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(scores, (values) => {
        const limit = scaleLimit(values);
        expect(scaleLimit(values.map((value) => -value))).toBe(limit);
        expect(scaleLimit(values.map((value) => 2 ** 40 * value))).toBe(2 ** 40 * limit);
        expect(values.map(Math.abs)).toContain(limit);
      }),
    );
  });

  test("black text has a contrast of 7 to 1 on all of it (WCAG 2.2, 1.4.6)", () => {
    for (let place = -1; place <= 1; place += 0.05) {
      expect((luminance(colorOf(place)) + 0.05) / 0.05).toBeGreaterThan(7);
    }
  });

  // Full severity, in linear RGB: Machado, Oliveira and Fernandes 2009.
  test.each([
    ["protanopia", [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998]],
    ["deuteranopia", [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881]],
    ["tritanopia", [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039]],
  ])("its ends are distinct from each other and from 0 under %s", (_, matrix) => {
    const seen = (place: number): number[] => {
      const color = colorOf(place).map(linear);
      return [0, 1, 2].map((r) => color.reduce((sum, c, i) => sum + matrix[3 * r + i]! * c, 0));
    };
    const apart = (one: number, other: number): number => Math.hypot(...seen(one).map((c, i) => c - seen(other)[i]!));
    expect(apart(-1, 1)).toBeGreaterThan(0.4);
    expect(apart(-1, 0)).toBeGreaterThan(0.4);
    expect(apart(0, 1)).toBeGreaterThan(0.4);
  });
});

const linear = (c: number): number => (c <= 10 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]: Rgb): number => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const css = (place: number): string =>
  `#${colorOf(place)
    .map((c) => c.toString(16).padStart(2, "0"))
    .join("")}`;

describe("token heat map", () => {
  const map = { tokens: ["The", " bar\n", "high"], scores: [2, -2, 0] };

  test("HTML: each token on its color, its score beside it", () => {
    const html = tokenHeatMapHtml(map);
    expect(html).toContain(`<span style="background:${css(1)}" title="+2">The</span>`);
    expect(html).toContain(`<span style="background:${css(-1)}" title="−2"> bar↵\n</span>`);
    expect(html).toContain(`<span style="background:${css(0)}" title="+0">high</span>`);
  });

  test("ANSI: each token on its color, which ends before the line does", () => {
    const [r, g, b] = colorOf(-1);
    expect(tokenHeatMapAnsi(map)).toContain(`\u001b[30;48;2;${r};${g};${b}m bar↵\u001b[0m\n`);
    expect(withoutColors(tokenHeatMapAnsi(map))).toBe("The bar↵\nhigh\n −2  −1  +0  +1  +2 \n");
  });

  test("refuses scores that do not belong to the tokens", () => {
    expect(() => tokenHeatMapHtml({ tokens: ["a"], scores: [1, 2] })).toThrow(AttributionError);
    expect(() => tokenHeatMapAnsi({ tokens: ["a"], scores: [Number.POSITIVE_INFINITY] })).toThrow(AttributionError);
  });
});

describe("image heat map", () => {
  const grid = { rows: 2, columns: 3 };
  const plain = (channels: 3 | 4, byte: number): Pixels => {
    return { width: 30, height: 20, channels, data: new Uint8Array(600 * channels).fill(byte) };
  };
  const pixel = ({ width, data }: Pixels, x: number, y: number): number[] => [
    ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
  ];

  test("a token's color lies over its own cell, strongest at the center", () => {
    for (let token = 0; token < 6; token++) {
      const scores = Array.from({ length: 6 }, (_, i) => (i === token ? -1 : 0));
      const made = imageHeatMap(plain(3, 128), scores, grid);
      const opacity = Array.from({ length: 600 }, (_, i) => Math.abs(made.data[3 * i + 2]! - 128));
      const strongest = opacity.indexOf(Math.max(...opacity));
      const cell = Math.floor(Math.floor(strongest / 30) / 10) * 3 + Math.floor((strongest % 30) / 10);
      expect(cell).toBe(token);
    }
  });

  test("where nothing was scored the picture is its own grays; signs have their colors", () => {
    expect(imageHeatMap(plain(3, 90), new Array<number>(6).fill(0), grid).data).toEqual(plain(3, 90).data);
    const made = imageHeatMap(plain(3, 128), [1, 0, 0, 0, 0, -1], grid);
    const [red, , blue] = pixel(made, 0, 0);
    expect(red! - blue!).toBeGreaterThan(80);
    const [otherRed, , otherBlue] = pixel(made, 29, 19);
    expect(otherBlue! - otherRed!).toBeGreaterThan(80);
    expect(pixel(made, 15, 3)).toEqual([128, 128, 128]);
  });

  test("what is transparent counts as white; input pixels stay as they are", () => {
    const image = plain(4, 0);
    expect(pixel(imageHeatMap(image, new Array<number>(6).fill(0), grid), 4, 4)).toEqual([255, 255, 255]);
    expect(image).toEqual(plain(4, 0));
  });

  test("refuses what does not belong together", () => {
    const zeros = new Array<number>(6).fill(0);
    const short = { ...plain(3, 0), data: new Uint8Array(5) };
    for (const call of [
      () => imageHeatMap(plain(3, 0), [1], grid),
      () => imageHeatMap(short, zeros, grid),
      () => imageHeatMap(plain(3, 0), zeros, { rows: 1.5, columns: 4 }),
      () => imageHeatMap({ width: 0, height: 0, channels: 3, data: new Uint8Array() }, zeros, grid),
    ]) {
      expect(call).toThrow(AttributionError);
    }
  });
});

describe("block bars", () => {
  const bars = { names: ["query", "image"], student: [0.25, 0.75], teacher: [0.5, 0.5], divergence: "tv" } as const;

  test("lengths are in proportion, the heading is the divergence", () => {
    const picture = blockBarsSvg(bars);
    const lengths = [...picture.matchAll(/<rect x="214" y="\d+" width="([\d.]+)" height="12" fill="#/g)].map(([, w]) =>
      Number(w),
    );
    expect(lengths.slice(1).map((w) => w / 356)).toEqual(
      [0.25, 0.5, 0.75, 0.5].map((share) => expect.closeTo(share / 0.75, 4)),
    );
    expect(picture).toContain("total variation = 0.25");
    expect(blockBarsSvg({ ...bars, student: [0, 1], teacher: [1, 0], divergence: "kl_student_teacher" })).toContain(
      "= ∞",
    );
  });

  test("refuses what are no distributions over the same blocks", () => {
    expect(() => blockBarsSvg({ ...bars, student: [1] })).toThrow(AttributionError);
    expect(() => blockBarsSvg({ ...bars, student: [-1, 2] })).toThrow(AttributionError);
    expect(() => blockBarsSvg({ ...bars, teacher: [Number.NaN, 1] })).toThrow(AttributionError);
  });
});

describe("token matrix", () => {
  test("rows are outputs, columns inputs, one scale for all", () => {
    const picture = tokenMatrixSvg({
      inputs: ["a", "b", "c"],
      outputs: ["x", "y"],
      scores: [
        [1, 0, -1],
        [0, -4, 4],
      ],
    });
    const cells = [
      ...picture.matchAll(/<rect x="(\d+)" y="(\d+)" width="16" height="16" fill="(#\w+)"><title>([^<]+)</g),
    ];
    expect(cells.map(([, x, y, , title]) => [(Number(x) - 130) / 16, (Number(y) - 8) / 16, title])).toEqual([
      [0, 0, "x × a: +1"],
      [1, 0, "x × b: +0"],
      [2, 0, "x × c: −1"],
      [0, 1, "y × a: +0"],
      [1, 1, "y × b: −4"],
      [2, 1, "y × c: +4"],
    ]);
    expect(cells.map(([, , , fill]) => fill)).toEqual([0.25, 0, -0.25, 0, -1, 1].map(css));
  });

  test("refuses ragged scores and pictures nobody could look at", () => {
    expect(() => tokenMatrixSvg({ inputs: ["a"], outputs: ["x"], scores: [[1, 2]] })).toThrow(AttributionError);
    const many = new Array<string>(1000).fill("t");
    const zeros = many.map(() => new Float64Array(1000));
    expect(() => tokenMatrixSvg({ inputs: many, outputs: many, scores: zeros })).toThrow(AttributionError);
  });
});

describe("hostile text", () => {
  const hostile = fc.array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.constantFrom(
        ...[
          "</span><script>alert(1)</script>",
          "]]>",
          "<!--",
          "&lt;",
          "\" onload='x'",
          "</svg>",
          "\u001b[2J\u001b]8;;http://x\u0007",
        ],
        ...["\u009b31m", "\r\n", "\u202eevil", "\u2028", "\0", "\ud800", "\uffff", "x".repeat(5000)],
      ),
    ),
    { minLength: 1, maxLength: 6 },
  );
  const runs = { numRuns: process.env.IAPO_FULL === "1" ? 5000 : 300 };

  test("markup keeps the shape that harmless text of the same size gives", () => {
    fc.assert(
      fc.property(hostile, (tokens) => {
        const scores = tokens.map((_, i) => i - 1.5);
        const shares = tokens.map(() => 1 / tokens.length);
        const pictures = (texts: readonly string[]): string[] => [
          tokenHeatMapHtml({ tokens: texts, scores }),
          blockBarsSvg({ names: texts, student: shares, teacher: shares, divergence: "js" }),
          tokenMatrixSvg({ inputs: texts, outputs: texts, scores: tokens.map(() => scores) }),
        ];
        const harmless = pictures(tokens.map(() => "x"));
        for (const [i, picture] of pictures(tokens).entries()) {
          expect(skeleton(picture)).toEqual(skeleton(harmless[i]!));
          expect(picture).not.toMatch(forbidden);
          expect(picture.replace(/&(amp|lt|gt|quot|#39);/g, "")).not.toContain("&");
        }
      }),
      runs,
    );
  });

  test("a terminal sees our colors and line ends, and no other control", () => {
    fc.assert(
      fc.property(hostile, (tokens) => {
        const text = withoutColors(tokenHeatMapAnsi({ tokens, scores: tokens.map((_, i) => i) }));
        expect(text).not.toMatch(forbidden);
        expect(text).not.toContain("\u001b");
        expect(text.split("\n")).toHaveLength(tokens.join("").split("\n").length + 2);
      }),
      runs,
    );
  });
});

const forbidden = /(?!\n)[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences that the picture itself writes
const withoutColors = (text: string): string => text.replace(/\u001b\[(0|30;48;2;\d+;\d+;\d+)m/g, "");

/** Tags with their attributes' names, in order; attribute values cannot hold a quote or a bracket. */
function skeleton(picture: string): string[] {
  return [...picture.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replace(/"[^"]*"/g, '""'));
}
