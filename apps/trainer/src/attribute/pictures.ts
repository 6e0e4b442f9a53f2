// An explained call for people: a terminal's colors and bars, an SVG of the blocks, the picture under its heat, the tokens as HTML.
import type { BlockAttribution } from "@iapo/attribution";
import { distribution } from "@iapo/attribution/math";
import { blockBarsSvg, imageHeatMap, tokenHeatMapAnsi, tokenHeatMapHtml } from "@iapo/attribution/pictures";
import type { AttributionModel } from "@iapo/iapo";
import type { RawImage } from "@iapo/rollout-trace";
import type { Explained } from "./explain.ts";

const BAR = 24;

/** `tool:focus_on_rows_with_mask  ████▌  0.31   0.12`: shares of the student, and of the teacher. */
export function barsText({ student, teacher }: Explained): string {
  const [own, other] = [shares(student), teacher && shares(teacher)];
  const width = Math.max(...student.names.map(({ length }) => length));
  const lines = student.names.map((name, i) => {
    const share = own[i]!;
    const bar = "█".repeat(Math.round(BAR * share)).padEnd(BAR);
    return `${name.padEnd(width)}  ${bar}  ${share.toFixed(3)}${other ? `   ${other[i]!.toFixed(3)}` : ""}`;
  });
  return [`${"share of".padEnd(width)}  ${" ".repeat(BAR)}  student${other ? " teacher" : ""}`, ...lines].join("\n");
}

/** Undefined without a teacher. */
export function blocksSvg({ student, teacher }: Explained): string | undefined {
  if (!teacher) return undefined;
  const both = { student: shares(student), teacher: shares(teacher) };
  return blockBarsSvg({ names: student.names, ...both, divergence: "kl_student_teacher" });
}

/** The text of the prompt on the colors of its tokens' scores; undefined where the method scores blocks only. */
export function tokensText(explained: Explained, model: AttributionModel, kind: "ansi" | "html"): string | undefined {
  const { student, turn, blocks } = explained;
  if (!student.tokenScores) return undefined;
  const decoder = new TextDecoder();
  const tokens: string[] = [];
  const scores: number[] = [];
  student.tokenScores.forEach((score, i) => {
    const block = turn.blocks[i]!;
    if (block < 0 || blocks[block]!.kind === "image") return;
    tokens.push(decoder.decode(model.tokenBytes(turn.tokens[i]!)));
    scores.push(score);
  });
  const shown = { tokens, scores };
  return kind === "ansi" ? tokenHeatMapAnsi(shown) : tokenHeatMapHtml(shown);
}

/** @param cells how the visual tokens of the image lie */
export function heatedImage(
  { student, turn, blocks, task }: Explained,
  cells: { readonly rows: number; readonly columns: number },
): RawImage | undefined {
  if (!student.tokenScores) return undefined;
  const ofImage = student.tokenScores.filter(
    (_, i) => turn.blocks[i]! >= 0 && blocks[turn.blocks[i]!]!.kind === "image",
  );
  return imageHeatMap(task.image, ofImage, cells);
}

function shares({ blockScores }: BlockAttribution): Float64Array {
  return distribution(blockScores);
}
