// Which prompt token (or block) each output token rests on.
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";
import type { Numbers } from "../math/token-scores.ts";
import { colorOf, hex, placeOf, scaleLimit } from "./color.ts";
import { svg, text } from "./svg.ts";
import { markup, shortened, signed } from "./text.ts";

export interface TokenMatrix {
  /** Texts of the columns: prompt tokens or blocks. */
  readonly inputs: readonly string[];
  /** Texts of the rows: the tokens whose log-probs were explained. */
  readonly outputs: readonly string[];
  /** `scores[output][input]` */
  readonly scores: readonly Numbers[];
}

const cell = 16;
const left = 130;
const below = 120;
const mostCells = 40_000;

/**
 * A matrix of output token by input, one scale for all, as an SVG document; a cell's score is its tooltip.
 * @throws AttributionError `shape` where texts and scores do not belong together, `argument` for scores that are not finite or above
 * 40,000 cells
 */
export function tokenMatrixSvg({ inputs, outputs, scores }: TokenMatrix): string {
  if (scores.length !== outputs.length || scores.some(({ length }) => length !== inputs.length)) {
    throw new AttributionError("shape", `scores are no matrix of ${outputs.length} outputs by ${inputs.length} inputs`);
  }
  if (inputs.length * outputs.length > mostCells) {
    throw new AttributionError(
      "argument",
      `${outputs.length} x ${inputs.length} cells are too many to look at (${mostCells} at most): show blocks or fewer tokens`,
    );
  }
  const limit = scaleLimit(scores.flatMap((row) => Array.from(row)));
  const bottom = 8 + outputs.length * cell;
  const small = 'font-size="11"';
  const rows = outputs.flatMap((output, i) => [
    text(left - 6, 20 + i * cell, shortened(output, 18), `${small} text-anchor="end"`),
    ...inputs.map((input, j) => {
      const score = at(at(scores, i), j);
      const fill = hex(colorOf(placeOf(score, limit)));
      const title = `${shortened(output, 18)} × ${shortened(input, 18)}: ${signed(score)}`;
      return `<rect x="${left + j * cell}" y="${8 + i * cell}" width="${cell}" height="${cell}" fill="${fill}"><title>${markup(title)}</title></rect>`;
    }),
  ]);
  const columns = inputs.map((input, j) => {
    const [x, y] = [left + j * cell + 12, bottom + 6];
    return text(x, y, shortened(input, 18), `${small} text-anchor="end" transform="rotate(-90 ${x} ${y})"`);
  });
  const places = [-1, -0.5, 0, 0.5, 1];
  const legend = places.flatMap((place, i) => {
    const [x, y] = [left + i * 60, bottom + below];
    return [
      `<rect x="${x}" y="${y}" width="60" height="16" fill="${hex(colorOf(place))}"/>`,
      text(x + 30, y + 12, signed(place * limit), `${small} text-anchor="middle"`),
    ];
  });
  const width = left + Math.max(inputs.length * cell, places.length * 60) + 8;
  const title = `Attribution of ${outputs.length} output tokens to ${inputs.length} inputs`;
  return svg(width, bottom + below + 24, title, [...rows, ...columns, ...legend]);
}
