// Image files in and out. Node only; sharp is loaded when the first one is read or written.
export { type ReadOptions, readImage } from "./read.ts";
export { encodePng, pngDataUrl, writeImage } from "./write.ts";
