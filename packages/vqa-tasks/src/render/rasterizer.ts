// SVG to raw pixels, by resvg compiled to WebAssembly with the packaged fonts only: no system fonts, no locale, no GPU,
// so the same picture has the same pixels on every machine.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { RawImage } from "@iapo/rollout-trace";
import { FONT_FAMILY, fontBytes } from "./font.ts";

/** Turns one SVG document into RGB pixels; made by {@link loadRasterizer}. */
export type Rasterizer = (svg: string) => RawImage;

let loaded: Promise<Rasterizer> | undefined;

/** The rasterizer; the WebAssembly module is compiled once for the process. */
export function loadRasterizer(): Promise<Rasterizer> {
  loaded ??= compile();
  return loaded;
}

async function compile(): Promise<Rasterizer> {
  const { initWasm, Resvg } = await import("@resvg/resvg-wasm");
  const module = await readFile(createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm"));
  try {
    await initWasm(module);
  } catch (error) {
    // Someone else in this process may have started the same module; it can be started only once.
    if (!String(error).includes("Already initialized")) throw error;
  }
  return (svg) => rasterize(Resvg, svg);
}

type ResvgClass = typeof import("@resvg/resvg-wasm").Resvg;

function rasterize(Resvg: ResvgClass, svg: string): RawImage {
  const document = new Resvg(svg, {
    font: { fontBuffers: fontBytes(), loadSystemFonts: false, defaultFontFamily: FONT_FAMILY },
  });
  const picture = document.render();
  try {
    return { width: picture.width, height: picture.height, channels: 3, data: dropAlpha(picture.pixels) };
  } finally {
    picture.free();
    document.free();
  }
}

/** RGBA to RGB. Every picture here has an opaque background, so alpha is 255 throughout. */
function dropAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from] ?? 0;
    rgb[to + 1] = rgba[from + 1] ?? 0;
    rgb[to + 2] = rgba[from + 2] ?? 0;
  }
  return rgb;
}
