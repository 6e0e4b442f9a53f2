// Uncompressed Windows bitmaps, which sharp does not read: 1, 4 and 8 bits with a palette, 16, 24 and 32 bits with or without masks.
// Pixels are those of Pillow: a fourth byte without a mask of its own is no alpha.
import type { RawImage } from "@iapo/rollout-trace";

const fileHeader = 14;
const uncompressed = 0;
const masked: ReadonlySet<number> = new Set([3, 6]);

/** A color's bits within a pixel. */
type Mask = { readonly shift: number; readonly max: number };

interface Header {
  readonly width: number;
  readonly height: number;
  /** The first row in the file is the top one. */
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  readonly infoSize: number;
  readonly pixelsAt: number;
  readonly colors: number;
}

/** @throws Error for a compressed or damaged file, or one of more than `maxPixels` */
export function decodeBmp(bytes: Uint8Array, maxPixels: number): RawImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(view);
  const { width, height, bits, topDown, pixelsAt } = header;
  if (width * height > maxPixels) throw new Error(`${width} x ${height} pixels are more than ${maxPixels}`);
  const stride = 4 * Math.ceil((width * bits) / 32);
  if (pixelsAt + stride * height > bytes.length) throw new Error("the file is cut short");
  const { channels, pixelAt } =
    bits <= 8 ? paletteReader(view, header) : bits === 24 ? byteReader(view) : maskReader(view, header);
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, at = 0; y < height; y++) {
    const row = pixelsAt + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      const rgba = pixelAt(row, x);
      for (let channel = 0; channel < channels; channel++) data[at++] = rgba >>> (8 * channel);
    }
  }
  return { width, height, channels, data };
}

function readHeader(view: DataView): Header {
  const infoSize = view.getUint32(fileHeader, true);
  if (infoSize < 40 || infoSize > 124) throw new Error(`a header of ${infoSize} bytes is not supported`);
  const rows = view.getInt32(22, true);
  const header = {
    infoSize,
    width: view.getInt32(18, true),
    height: Math.abs(rows),
    topDown: rows < 0,
    bits: view.getUint16(28, true),
    compression: view.getUint32(30, true),
    colors: view.getUint32(46, true),
    pixelsAt: view.getUint32(10, true),
  };
  const { width, height, bits, compression } = header;
  if (width <= 0 || height === 0) throw new Error(`${width} x ${height} pixels have no area`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new Error(`${bits} bits a pixel are not supported`);
  const plain = compression === uncompressed || (masked.has(compression) && (bits === 16 || bits === 32));
  if (!plain) throw new Error(`compression ${compression} of a bitmap is not supported; save it as PNG`);
  return header;
}

interface PixelReader {
  readonly channels: 3 | 4;
  /** Red, green, blue and alpha, from the lowest byte up, of pixel `x` of the row that begins at byte `row`. */
  pixelAt(row: number, x: number): number;
}

/** A palette's entries lie in the file as blue, green, red, nothing; an index beyond it is black, as a color left out is. */
function paletteReader(view: DataView, { bits, infoSize, colors }: Header): PixelReader {
  const palette = new Uint32Array(2 ** bits);
  for (let i = 0; i < Math.min(colors || palette.length, palette.length); i++) {
    palette[i] = view.getUint32(fileHeader + infoSize + 4 * i, false) >>> 8;
  }
  return {
    channels: 3,
    pixelAt(row, x) {
      const byte = view.getUint8(row + ((x * bits) >> 3));
      return palette[(byte >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1)] ?? 0;
    },
  };
}

function byteReader(view: DataView): PixelReader {
  return {
    channels: 3,
    pixelAt: (row, x) => (view.getUint8(row + 3 * x) << 16) | view.getUint16(row + 3 * x + 1, false),
  };
}

function maskReader(view: DataView, header: Header): PixelReader {
  const bytes = header.bits / 8;
  const masks = masksOf(view, header).map(maskOf);
  return {
    channels: masks.length === 4 ? 4 : 3,
    pixelAt(row, x) {
      const value = bytes === 2 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
      let rgba = 0;
      masks.forEach(({ shift, max }, channel) => {
        rgba |= Math.floor((((value >>> shift) & max) * 255) / max) << (8 * channel);
      });
      return rgba;
    },
  };
}

/** Red, green, blue, and alpha where the file has a mask for it. */
function masksOf(view: DataView, { bits, compression, infoSize }: Header): number[] {
  if (compression === uncompressed) return bits === 16 ? [0x7c00, 0x03e0, 0x001f] : [0xff0000, 0x00ff00, 0x0000ff];
  const masks = [54, 58, 62].map((at) => view.getUint32(at, true));
  const alpha = infoSize >= 56 || compression === 6 ? view.getUint32(66, true) : 0;
  return alpha === 0 ? masks : [...masks, alpha];
}

function maskOf(mask: number): Mask {
  const shift = 31 - Math.clz32(mask & -mask);
  const max = mask >>> shift;
  if (mask === 0 || ((max + 1) & max) !== 0 || max > 255) throw new Error(`a color mask of ${mask} is not supported`);
  return { shift, max };
}
