// What student and teacher rest on, block by block, and how far they are apart.
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";
import { type Divergence, divergence } from "../math/divergence.ts";
import type { Numbers } from "../math/token-scores.ts";
import { blue, hex, orange } from "./color.ts";
import { svg, text } from "./svg.ts";
import { shortened } from "./text.ts";

/** Two distributions over the same blocks. */
export interface BlockComparison {
  readonly names: readonly string[];
  /** [blocks] */
  readonly student: Numbers;
  /** [blocks] */
  readonly teacher: Numbers;
  /** Which divergence the heading gives. */
  readonly divergence: Divergence;
}

const titles: Readonly<Record<Divergence, string>> = {
  kl_student_teacher: "KL(student ‖ teacher)",
  kl_teacher_student: "KL(teacher ‖ student)",
  js: "Jensen-Shannon divergence",
  tv: "total variation",
  l2: "L2 distance",
};

const width = 640;
const labels = 214;
const longest = 356;
const bar = 12;
const row = 2 * bar + 10;
const top = 62;

/**
 * Bars of each block, the student's above the teacher's, as an SVG document.
 * @throws AttributionError `shape` for different numbers of blocks, `argument` unless all shares lie in 0 to 1
 */
export function blockBarsSvg({ names, student, teacher, divergence: kind }: BlockComparison): string {
  if (names.length !== student.length || names.length !== teacher.length) {
    throw new AttributionError(
      "shape",
      `${names.length} blocks came with ${student.length} shares of the student and ${teacher.length} of the teacher`,
    );
  }
  const shares = [...Array.from(student), ...Array.from(teacher)];
  if (!shares.every((share) => share >= 0 && share <= 1 + 1e-9)) {
    throw new AttributionError("argument", "shares of blocks lie in 0 to 1: take the distribution of the scores");
  }
  const most = Math.max(...shares, Number.MIN_VALUE);
  const apart = divergence(kind, student, teacher);
  const title = `${titles[kind]} = ${Number.isFinite(apart) ? Number(apart.toPrecision(4)) : "∞"}`;
  const bars = names.flatMap((name, block) => {
    const y = top + block * row;
    return [
      text(labels - 8, y + bar + 4, shortened(name, 27), 'text-anchor="end"'),
      ...barOf(y, at(student, block), most, hex(blue)),
      ...barOf(y + bar, at(teacher, block), most, hex(orange)),
    ];
  });
  const legend = [
    ...[`<rect x="${labels}" y="34" width="12" height="12" fill="${hex(blue)}"/>`, text(labels + 17, 45, "student")],
    ...[
      `<rect x="${labels + 90}" y="34" width="12" height="12" fill="${hex(orange)}"/>`,
      text(labels + 107, 45, "teacher"),
    ],
  ];
  const heading = text(labels, 22, title, 'font-size="15" font-weight="bold"');
  return svg(width, top + names.length * row + 6, title, [heading, ...legend, ...bars]);
}

function barOf(y: number, share: number, most: number, fill: string): string[] {
  const length = Number(((longest * share) / most).toFixed(2));
  return [
    `<rect x="${labels}" y="${y}" width="${length}" height="${bar}" fill="${fill}"/>`,
    text(Number((labels + length + 5).toFixed(2)), y + bar - 2, `${(100 * share).toFixed(1)} %`, 'font-size="11"'),
  ];
}
