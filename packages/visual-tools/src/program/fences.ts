// Where in a response its tool program stands.
const fence = "```";

/** Words that make a fenced block a tool program rather than plain arithmetic. */
const programWords: readonly string[] = ["focus_on_", "display(", "image_1", "columns_bbox", "rows_bbox"];

export function hasProgramWord(code: string, toolNames: readonly string[]): boolean {
  return programWords.some((word) => code.includes(word)) || toolNames.some((name) => code.includes(name));
}

/** `text.slice(start, end)` is the block between its fences; one that is not closed goes on to the end. */
export type ProgramPlace = { readonly start: number; readonly end: number; readonly closed: boolean };

/** A tag after the fence, and whether the line ends behind it. */
const tag = /[ \t]{0,8}([A-Za-z0-9+#.-]{0,16})([ \t]{0,8}(?:\r?\n|\r|$))?/y;
const pythons: ReadonlySet<string> = new Set(["", "py", "python", "python3"]);

/**
 * The first block that opens on a line of its own, in Python or no language, and holds a word of a tool program; else an empty Python block.
 * A fence that is only mentioned in a sentence opens nothing, unless what follows `python` on its line is a program itself. Linear.
 */
export function findProgram(text: string, toolNames: readonly string[] = []): ProgramPlace | undefined {
  let blank: ProgramPlace | undefined;
  let at = text.indexOf(fence);
  while (at !== -1) {
    tag.lastIndex = at + fence.length;
    const [, language = "", lineEnd] = tag.exec(text) ?? [];
    const name = language.toLowerCase();
    const start = at + text.slice(at, at + fence.length + 24).indexOf(language, fence.length) + language.length;
    const isOpening = lineEnd !== undefined;
    const isInline = !isOpening && name.startsWith("py");
    const closing = text.indexOf(fence, start);
    const end = closing === -1 ? text.length : closing;
    if (pythons.has(name) && (isOpening || isInline)) {
      const code = text.slice(start, end).replaceAll("\\_", "_"); // Markdown's escape
      const place = { start, end, closed: closing !== -1 };
      if (hasProgramWord(code, toolNames)) return place;
      if (isOpening && name !== "" && code.trim() === "") blank ??= place;
    }
    if (closing === -1) break;
    // A block of something else ends at its closing fence; a mention in a sentence ends with itself.
    at = isOpening ? text.indexOf(fence, closing + fence.length) : closing;
  }
  return blank;
}
