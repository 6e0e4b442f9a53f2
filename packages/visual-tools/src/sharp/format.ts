// Which kind of image file bytes are, by what they begin with: a name or a media type may say anything.
/** The formats that are read. SVG is none of them: drawing it would read other files and system fonts. */
export type ImageFormat = "png" | "jpeg" | "webp" | "gif" | "bmp" | "tiff" | "avif";

type Signature = { readonly format: ImageFormat; readonly at: number; readonly text: string };

/** Bytes as Latin-1 characters. */
const signatures: readonly Signature[] = [
  { format: "png", at: 0, text: "\x89PNG\r\n\x1a\n" },
  { format: "jpeg", at: 0, text: "\xff\xd8\xff" },
  { format: "webp", at: 8, text: "WEBP" },
  { format: "gif", at: 0, text: "GIF87a" },
  { format: "gif", at: 0, text: "GIF89a" },
  { format: "bmp", at: 0, text: "BM" },
  { format: "tiff", at: 0, text: "II*\0" },
  { format: "tiff", at: 0, text: "MM\0*" },
  { format: "avif", at: 4, text: "ftypavif" },
  { format: "avif", at: 4, text: "ftypavis" },
];

/** undefined for anything else. */
export function formatOf(bytes: Uint8Array): ImageFormat | undefined {
  const head = Array.from(bytes.subarray(0, 16), (byte) => String.fromCharCode(byte)).join("");
  return signatures.find(({ at, text }) => head.startsWith(text, at))?.format;
}
