// A tool prompt as a text file whose blocks are marked by lines of their own: `[[context]]`, `[[tools]]`, `[[image]]`, ...
import type { TextBlockKind } from "@iapo/rollout-trace";
import { VisualToolsError } from "../error.ts";

/** A piece of the first turn, in order. `tools` stands for the definitions of all tools. */
export type TemplatePart =
  | { readonly kind: Exclude<TextBlockKind, "observation" | "tool">; readonly text: string }
  | { readonly kind: "tool"; readonly tool: string; readonly text: string }
  | { readonly kind: "tools" | "image" };

export interface ToolTemplate {
  readonly parts: readonly TemplatePart[];
  /** What comes with the edited image. */
  readonly observation: string;
  /** What comes instead where no name of the program has a box; without it that is an observation like others. */
  readonly unchanged?: string | undefined;
  /** What comes instead where the program failed. */
  readonly failure: string;
}

type Section = { readonly mark: string; readonly tool: string; readonly line: number; readonly text: string };

const markLine = /^\[\[(\w+)(?: (\w+))?\]\]$/;

/** Placeholders that a block may hold, by mark. */
const placeholders: Readonly<Record<string, readonly string[]>> = {
  query: ["question", "columns", "rows"],
  failure: ["reason"],
  unchanged: ["names"],
};

function fail(line: number, message: string): never {
  throw new VisualToolsError("bad_template", `template line ${line}: ${message}`);
}

function sections(source: string): readonly Section[] {
  const result: { mark: string; tool: string; line: number; lines: string[] }[] = [];
  for (const [index, text] of source.split(/\r?\n/).entries()) {
    const match = markLine.exec(text.trimEnd());
    const section = result.at(-1);
    if (match !== null) result.push({ mark: match[1] ?? "", tool: match[2] ?? "", line: index + 1, lines: [] });
    else if (section !== undefined) section.lines.push(text);
    else if (text.trim() !== "") fail(index + 1, "text before the first mark; start with a line such as [[context]]");
  }
  return result.map(({ lines, ...section }) => ({ ...section, text: `${lines.join("\n").trim()}\n` }));
}

function checkSection({ mark, tool, line, text }: Section): void {
  const isEmpty = text.trim() === "";
  if (!/^(context|tools|tool|image|query|example|observation|unchanged|failure)$/.test(mark)) {
    fail(
      line,
      `unknown mark [[${mark}]]; use context, tools, tool NAME, image, query, example, observation, unchanged or failure`,
    );
  }
  if ((mark === "tool") !== (tool !== "")) fail(line, `[[tool NAME]] names its tool, and no other mark does`);
  if (mark === "tools" || mark === "image") {
    if (!isEmpty) fail(line, `[[${mark}]] stands alone; put the text under a mark of its own`);
  } else if (isEmpty) {
    fail(line, `the block [[${mark}]] is empty`);
  }
  for (const [, name] of text.matchAll(/\{(\w+)\}/g)) {
    const allowed = placeholders[mark];
    if (allowed !== undefined && !allowed.includes(name ?? "")) {
      fail(
        line,
        `unknown placeholder {${name}} in [[${mark}]]; it may hold ${allowed.map((word) => `{${word}}`).join(", ")}`,
      );
    }
  }
}

function only(all: readonly Section[], mark: string): Section {
  const found = all.filter((section) => section.mark === mark);
  const [section, second] = found;
  if (section === undefined || second !== undefined)
    fail(second?.line ?? 1, `needs exactly one [[${mark}]], has ${found.length}`);
  return section;
}

function part({ mark, tool, text }: Section): TemplatePart[] {
  if (mark === "tools" || mark === "image") return [{ kind: mark }];
  if (mark === "tool") return [{ kind: mark, tool, text }];
  if (mark === "context" || mark === "query" || mark === "example") return [{ kind: mark, text }];
  return [];
}

/**
 * Reads a template. Blocks follow one another in the order of the file; `[[query]]` may hold `{question}`, `{columns}` and
 * `{rows}`, `[[failure]]` may hold `{reason}`, `[[unchanged]]`, which may be left out, `{names}`; braces elsewhere are plain text. Where a task
 * has aliases, `{name}` in `[[tool NAME]]` stands for that of the tool; without it, the alias stands wherever the text says NAME.
 *
 * @throws VisualToolsError `bad_template`, with the line, for an unknown mark or placeholder, an empty block, or where `image`,
 *   `query`, `observation` and `failure` are not there exactly once
 */
export function parseTemplate(source: string): ToolTemplate {
  const all = sections(source);
  for (const section of all) checkSection(section);
  only(all, "image");
  const query = only(all, "query");
  if (!query.text.includes("{question}")) fail(query.line, "[[query]] must hold {question}");
  return {
    parts: all.flatMap(part),
    observation: only(all, "observation").text,
    unchanged: all.some(({ mark }) => mark === "unchanged") ? only(all, "unchanged").text : undefined,
    failure: only(all, "failure").text,
  };
}
