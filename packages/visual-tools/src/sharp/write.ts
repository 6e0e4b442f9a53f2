// Raw images as PNG: bytes, files and data URLs.
import type { RawImage } from "@iapo/rollout-trace";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { checkImage } from "../image/pixels.ts";
import { loadSharp } from "./load.ts";

/** The image as the bytes of a PNG file, without loss. */
export async function encodePng(image: RawImage): Promise<Uint8Array> {
  checkImage(image);
  const sharp = await loadSharp();
  const { width, height, channels, data } = image;
  const png = await sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 6 }).toBuffer();
  return new Uint8Array(png.buffer, png.byteOffset, png.byteLength);
}

/** The image as a `data:image/png;base64,` URL: for pages, and for endpoints. */
export async function pngDataUrl(image: RawImage): Promise<string> {
  return `data:image/png;base64,${Buffer.from(await encodePng(image)).toString("base64")}`;
}

/** Writes a PNG file. It appears under its name only when it is whole, durably. @throws TraceError `write_failed` */
export async function writeImage(path: string, image: RawImage): Promise<void> {
  await writeFileAtomic(path, await encodePng(image));
}
