// The few SVG elements the renderers draw with. Text is escaped here.
import { escapeText } from "@iapo/rollout-trace/text";
import { FONT_FAMILY, type FontWeight } from "./font.ts";

export interface TextOptions {
  readonly x: number;
  /** Baseline, in pixels from the top. */
  readonly y: number;
  readonly size: number;
  readonly fill: string;
  readonly weight?: FontWeight | undefined;
  readonly anchor?: "start" | "middle" | "end" | undefined;
  /** True for a text that is read from the bottom upwards. */
  readonly upwards?: boolean | undefined;
}

export function svgDocument(width: number, height: number, background: string, elements: readonly string[]): string {
  const paper = rectangle(0, 0, width, height, background);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${paper}${elements.join("")}</svg>`;
}

export function rectangle(x: number, y: number, width: number, height: number, fill: string, stroke?: string): string {
  const outline = stroke === undefined ? "" : ` stroke="${stroke}"`;
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}"${outline}/>`;
}

/** A line one pixel thick whose pixels are the given ones: horizontal where `y1 = y2`, else vertical; ends included. */
export function pixelLine(x1: number, y1: number, x2: number, y2: number, fill: string): string {
  return rectangle(x1, y1, x2 - x1 + 1, y2 - y1 + 1, fill);
}

export function textLine(text: string, options: TextOptions): string {
  const { x, y, size, fill, weight = "regular", anchor = "start", upwards = false } = options;
  const place = upwards ? `transform="translate(${x},${y}) rotate(-90)"` : `x="${x}" y="${y}"`;
  return `<text ${place} font-family="${FONT_FAMILY}" font-size="${size}" font-weight="${weight === "bold" ? 700 : 400}" text-anchor="${anchor}" fill="${fill}" xml:space="preserve">${escapeText(text)}</text>`;
}
