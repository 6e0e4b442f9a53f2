// Where in a response its tool program stands.
const shortest = "```";
/** As many back ticks as open a block end it; three also do where no more follow. Longer ones are taken apart, which bounds the search. */
const fences = /`{3,8}/g;

/** Words that make a fenced block a tool program rather than plain arithmetic. */
const programWords: readonly string[] = ["focus_on_", "display(", "image_1", "columns_bbox", "rows_bbox"];

export function hasProgramWord(code: string, toolNames: readonly string[]): boolean {
  return programWords.some((word) => code.includes(word)) || toolNames.some((name) => code.includes(name));
}

/** `text.slice(start, end)` is the block between its fences; one that is not closed goes on to the end. */
export type ProgramPlace = { readonly start: number; readonly end: number; readonly closed: boolean };

/** A tag after the fence, and whether the line ends behind it. */
const tag = /[ \t]{0,8}([A-Za-z0-9_+#.-]{0,16})([ \t]{0,8}(?:\r?\n|\r|$))?/y;
/** `tool_code` is what Gemini's models call it. */
const isPython = (language: string): boolean => /^(?:py|i?python[\d.]*|tool_code)?$/i.test(language);

/**
 * The first block that opens on a line of its own, in Python or no language, and holds a word of a tool program; else an empty Python block.
 * A fence that is only mentioned in a sentence opens nothing, unless what follows `python` on its line is a program itself. Linear.
 */
export function findProgram(text: string, toolNames: readonly string[] = []): ProgramPlace | undefined {
  let blank: ProgramPlace | undefined;
  let from = 0;
  for (;;) {
    fences.lastIndex = from;
    const { 0: fence, index: at } = fences.exec(text) ?? {};
    if (fence === undefined || at === undefined) return blank;
    tag.lastIndex = at + fence.length;
    const [, language = "", lineEnd] = tag.exec(text) ?? [];
    const start = at + text.slice(at, at + fence.length + 24).indexOf(language, fence.length) + language.length;
    const isOpening = lineEnd !== undefined;
    const isInline = !isOpening && /^py/i.test(language);
    const closing = closingAt(text, fence, start);
    const end = closing === -1 ? text.length : closing;
    if (isPython(language) && (isOpening || isInline)) {
      const code = text.slice(start, end).replaceAll("\\_", "_"); // Markdown's escape
      const place = { start, end, closed: closing !== -1 };
      if (hasProgramWord(code, toolNames)) return place;
      if (isOpening && language !== "" && code.trim() === "") blank ??= place;
    }
    if (closing === -1) return blank;
    // A block of something else ends at its closing fence; a mention in a sentence ends with itself.
    from = isOpening ? closing + shortest.length : start;
  }
}

function closingAt(text: string, fence: string, start: number): number {
  const same = text.indexOf(fence, start);
  return same === -1 ? text.indexOf(shortest, start) : same;
}
