// Pictures of attributions: pixels, SVG, HTML and terminal text, made from plain numbers and strings. Imports no GPU code.
// Text in them may come from a model or a dataset: it is escaped, and cannot leave its place.
// @module
export { AttributionError, type AttributionErrorCode } from "../error.ts";
export { type BlockComparison, blockBarsSvg } from "./block-bars.ts";
export { colorOf, hex, type Rgb } from "./color.ts";
export { type ImageGrid, imageHeatMap, type Pixels } from "./image-heat-map.ts";
export { svg, text } from "./svg.ts";
export { type ScoredTokens, tokenHeatMapAnsi, tokenHeatMapHtml } from "./token-heat-map.ts";
export { type TokenMatrix, tokenMatrixSvg } from "./token-matrix.ts";
