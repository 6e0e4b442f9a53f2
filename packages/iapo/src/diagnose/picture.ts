// A diagnosis as a heat map: orange where a fault costs more than the right call, blue where it costs less, white at chance.
import { colorOf, hex, svg, text } from "@iapo/attribution/pictures";
import { type DiagnosedCell, type Diagnosis, type Fault, faults, isCheaper } from "./diagnose.ts";
import { comparisonLabel, isAttribution } from "./grid.ts";

const box = { width: 74, height: 30 };
const labels = 330;
const top = 96;
const gap = 24;

const titles: Readonly<Record<Fault, string>> = {
  wrong_axis: "wrong axis above right call",
  wrong_names: "wrong names above right call",
};

/** An SVG document: a row per method and comparison, a column per partition and normalizer, a panel per fault; in the boxes, AUC on the same chart in the student's worst state. */
export function diagnosisSvg({ cells, charts, recommended }: Diagnosis): string {
  const rows = [...new Set(cells.map(rowOf))];
  const columns = [...new Set(cells.map(columnOf))];
  const panel = columns.length * box.width;
  const left = (fault: number): number => labels + fault * (panel + gap);
  const parts = faults.flatMap((fault, f) => [
    text(left(f) + panel / 2, 44, titles[fault], 'text-anchor="middle" font-weight="bold"'),
    ...columns.flatMap((column, c) => {
      const [partition = "", normalizer = ""] = column.split("/");
      const middle = left(f) + (c + 0.5) * box.width;
      const small = 'text-anchor="middle" font-size="10"';
      return [text(middle, top - 22, partition, small), text(middle, top - 8, normalizer, small)];
    }),
    ...cells.flatMap((cell, i) => {
      const at = {
        x: left(f) + columns.indexOf(columnOf(cell)) * box.width,
        y: top + rows.indexOf(rowOf(cell)) * box.height,
      };
      return boxOf(cell, fault, at, i === recommended);
    }),
  ]);
  const names = rows.map((row, r) => text(labels - 10, top + (r + 0.5) * box.height + 4, row, 'text-anchor="end"'));
  const legend = `AUC of penalty D on ${charts} charts, in the student's worst state: 1 always costs more, 0.5 chance, below 0.5 (!) the reward can be hacked; framed: recommended`;
  const height = top + rows.length * box.height + 16;
  return svg(left(1) + panel + 16, height, "How well the penalty tells faulty calls from right ones", [
    text(16, 20, legend, 'font-size="12"'),
    ...names,
    ...parts,
  ]);
}

function boxOf(
  { faults: found }: DiagnosedCell,
  fault: Fault,
  { x, y }: { readonly x: number; readonly y: number },
  recommended: boolean,
): string[] {
  const { auc, low, high } = found[fault].paired;
  const frame = recommended ? 'stroke="#000" stroke-width="3"' : 'stroke="#fff"';
  const inset = recommended ? 2 : 0;
  const size = `width="${box.width - 2 * inset}" height="${box.height - 2 * inset}"`;
  const fill = hex(colorOf(2 * auc - 1));
  const middle = x + box.width / 2;
  return [
    `<rect x="${x + inset}" y="${y + inset}" ${size} fill="${fill}" ${frame}/>`,
    text(middle, y + 14, `${auc.toFixed(2)}${isCheaper(found[fault]) ? " !" : ""}`, 'text-anchor="middle"'),
    text(middle, y + 25, `${low.toFixed(2)}–${high.toFixed(2)}`, 'text-anchor="middle" font-size="9"'),
  ];
}

function rowOf({ settings }: DiagnosedCell): string {
  return comparisonLabel(settings);
}

function columnOf({ settings }: DiagnosedCell): string {
  return isAttribution(settings) ? `${settings.partition}/${settings.normalize}` : "/";
}
