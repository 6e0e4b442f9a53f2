// A curve as an SVG file.
import { logScale } from "./scale.ts";

const width = 720;
const height = 400;
const margin = { left: 64, right: 16, top: 40, bottom: 40 };

/** `values`, one a step, on a logarithmic scale. `title` is plain text. */
export function curveSvg(values: readonly number[], title: string): string {
  const scale = logScale(values);
  const x = (index: number): number =>
    margin.left + (index / Math.max(1, values.length - 1)) * (width - margin.left - margin.right);
  const y = (value: number): number => margin.top + (1 - scale.position(value)) * (height - margin.top - margin.bottom);
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const decades: number[] = [];
  for (let decade = scale.low; decade <= scale.high * 1.001; decade *= 10) decades.push(decade);
  const grid = decades.map((decade) => {
    const at = y(decade).toFixed(1);
    return `  <line x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}" stroke="#ddd"/>
  <text x="${margin.left - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">${decade.toExponential(0)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
  <title>${escapeText(title)}</title>
  <rect width="${width}" height="${height}" fill="#fff"/>
  <text x="${margin.left}" y="24" font-size="15">${escapeText(title)}</text>
${grid.join("\n")}
  <polyline points="${points}" fill="none" stroke="#1565c0" stroke-width="2"/>
  <text x="${margin.left}" y="${height - 14}">1</text>
  <text x="${width - margin.right}" y="${height - 14}" text-anchor="end">step ${values.length}</text>
</svg>
`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
