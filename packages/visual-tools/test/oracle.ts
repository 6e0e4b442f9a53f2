/** Reads the oracle fixtures: what the published Python tools and parsers did (see fixtures/README.md). */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RawImage } from "@iapo/rollout-trace";
import type { Boxes } from "../src/boxes.ts";
import { type ToolOptions, type toolPresets, toRgba } from "../src/index.ts";
import { readImage } from "../src/sharp/index.ts";

type BoxRow = [name: string, x1: number | null, y1: number | null, x2: number | null, y2: number | null];
type CaseRow = [string, string, number, number, string | null, string | null, string | null];

const fixtures = new URL("./fixtures/", import.meta.url);
const readJson = (name: string): unknown => JSON.parse(readFileSync(new URL(name, fixtures), "utf8"));

export type OracleOutcome =
  | {
      readonly ok: true;
      readonly changed: boolean;
      readonly mode: string;
      readonly bytes: string;
      readonly rgb: string;
    }
  | { readonly ok: false; readonly reason: string; readonly exception: string };

export type ToolCase = {
  readonly name: string;
  readonly image: string;
  readonly program: string;
  readonly columns: Boxes;
  readonly rows: Boxes;
  readonly expected: ReadonlyMap<keyof typeof toolPresets, OracleOutcome>;
};

/** A malformed corner is null in the fixture and NaN here. */
function boxes(rows: readonly BoxRow[]): Boxes {
  return rows.map(([name, ...corners]) => {
    const [x1, y1, x2, y2] = corners.map((corner) => corner ?? Number.NaN) as [number, number, number, number];
    return { name, x1, y1, x2, y2 };
  });
}

function outcome(text: string): OracleOutcome {
  const words = text.split(" ") as [string, string, string, string, string, string];
  if (words[0] === "fail") return { ok: false, reason: words[2], exception: words[3] };
  return { ok: true, changed: words[2] === "c1", mode: words[3], bytes: words[4], rgb: words[5] };
}

export function toolCases(): readonly ToolCase[] {
  const file = readJson("tools.json") as {
    boxes: { columns: BoxRow[]; rows: BoxRow[] }[];
    programs: string[];
    cases: CaseRow[];
  };
  return file.cases.map(([name, image, boxIndex, program, v1, v2, refocus]) => {
    const outcomes = [
      ["vtool_v1", v1],
      ["vtool_v2", v2],
      ["refocus", refocus],
    ] as const;
    return {
      name,
      image,
      program: file.programs[program]!,
      columns: boxes(file.boxes[boxIndex]!.columns),
      rows: boxes(file.boxes[boxIndex]!.rows),
      expected: new Map(
        outcomes.flatMap(([preset, text]) => (text === null ? [] : [[preset, outcome(text)] as const])),
      ),
    };
  });
}

export type ParseCase = {
  readonly name: string;
  readonly text: string;
  readonly v1: "OK" | "NOTOOL" | "PARSE_ERROR";
  readonly v2: "OK" | "NOTOOL" | "PARSE_ERROR";
  readonly trimmed: number;
  readonly code?: string;
};

export const parseCases = (): readonly ParseCase[] => readJson("parse.json") as ParseCase[];

const images = new Map<string, Promise<RawImage>>();

export function inputImage(name: string): Promise<RawImage> {
  const image = images.get(name) ?? readImage(new URL(`inputs/${name}`, fixtures).pathname, { keepAlpha: true });
  images.set(name, image);
  return image;
}

/** Boxes in the frame of the preset: the oracle divided pixel boxes by the size of the image for `refocus`. */
export function boxesIn(frame: ToolOptions["coordinates"], pixelBoxes: Boxes, { width, height }: RawImage): Boxes {
  if (frame === "pixel") return pixelBoxes;
  return pixelBoxes.map(({ name, x1, y1, x2, y2 }) => ({
    name,
    x1: x1 / width,
    y1: y1 / height,
    x2: x2 / width,
    y2: y2 / height,
  }));
}

const hash = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex").slice(0, 16);

/** The oracle compared colors alone, whatever their alpha. */
function withoutAlpha({ channels, data }: RawImage): Uint8Array {
  return channels === 3 ? data : data.filter((_, at) => at % 4 !== 3);
}

/** The raw pixels in Pillow's mode, as the oracle hashed them; of a gray or palette image, only RGB can be compared. */
export function hashes(image: RawImage, mode: string): { readonly bytes: string | undefined; readonly rgb: string } {
  const rgb = withoutAlpha(image);
  const inMode = mode === "RGBA" ? toRgba(image).data : mode === "RGB" ? rgb : undefined;
  return { bytes: inMode && hash(inMode), rgb: hash(rgb) };
}
