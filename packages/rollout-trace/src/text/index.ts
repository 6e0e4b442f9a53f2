// Text that others wrote, made harmless for where it goes: HTML and SVG, CSV, Markdown, terminals.
export { escapeText, html, Markup, type Part } from "./markup.ts";
export { type Cell, toCsv, toMarkdown, toText } from "./tables.ts";
export { visible } from "./visible.ts";
