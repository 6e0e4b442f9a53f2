// An explained call for people: a terminal's colors and bars, an SVG of the blocks, the picture under its heat, the tokens as HTML.
import type { BlockAttribution } from "@iapo/attribution";
import { distribution } from "@iapo/attribution/math";
import { blockBarsSvg, imageHeatMap, tokenHeatMapAnsi, tokenHeatMapHtml } from "@iapo/attribution/pictures";
import type { PromptBlock, RawImage } from "@iapo/rollout-trace";
import { at } from "../../at.ts";
import type { AttributionModel } from "../../scoring/model.ts";
import type { ExplainedCall } from "./explain-call.ts";

const BAR = 24;

/** `tool:focus_on_rows_with_mask  ████▌  0.31   0.12`: shares of the student, and of the teacher. */
export function barsText({ student, teacher }: ExplainedCall): string {
  const [own, other] = [shares(student), teacher && shares(teacher)];
  const width = Math.max(...student.names.map(({ length }) => length));
  const lines = student.names.map((name, i) => {
    const share = at(own, i);
    const bar = "█".repeat(Math.round(BAR * share)).padEnd(BAR);
    return `${name.padEnd(width)}  ${bar}  ${share.toFixed(3)}${other ? `   ${at(other, i).toFixed(3)}` : ""}`;
  });
  return [`${"share of".padEnd(width)}  ${" ".repeat(BAR)}  student${other ? " teacher" : ""}`, ...lines].join("\n");
}

/** Undefined without a teacher. */
export function blocksSvg({ student, teacher }: ExplainedCall): string | undefined {
  if (!teacher) return undefined;
  const both = { student: shares(student), teacher: shares(teacher) };
  return blockBarsSvg({ names: student.names, ...both, divergence: "kl_student_teacher" });
}

/** The text of the prompt on the colors of its tokens' scores; undefined where the method scores blocks only. */
export function tokensText(
  explained: ExplainedCall,
  model: AttributionModel,
  kind: "ansi" | "html",
): string | undefined {
  const { student, turn } = explained;
  if (!student.tokenScores) return undefined;
  const decoder = new TextDecoder();
  const tokens: string[] = [];
  const scores: number[] = [];
  student.tokenScores.forEach((score, i) => {
    const kind = kindAt(explained, i);
    if (kind === undefined || kind === "image") return;
    tokens.push(decoder.decode(model.tokenBytes(at(turn.tokens, i))));
    scores.push(score);
  });
  const shown = { tokens, scores };
  return kind === "ansi" ? tokenHeatMapAnsi(shown) : tokenHeatMapHtml(shown);
}

/** @param cells how the visual tokens of the image lie */
export function heatedImage(
  explained: ExplainedCall,
  cells: { readonly rows: number; readonly columns: number },
): RawImage | undefined {
  const { student, task } = explained;
  if (!student.tokenScores) return undefined;
  const ofImage = student.tokenScores.filter((_, i) => kindAt(explained, i) === "image");
  return imageHeatMap(task.content.image, ofImage, cells);
}

/** Kind of the block that a token belongs to; undefined for tokens of none. */
function kindAt({ turn, blocks }: ExplainedCall, token: number): PromptBlock["kind"] | undefined {
  return blocks[at(turn.blocks, token)]?.kind;
}

function shares({ blockScores }: BlockAttribution): Float64Array {
  return distribution(blockScores);
}
