// Code blocks of a README. A fence may carry a word after its language: `no-run` is type-checked only (it needs a download),
// `fragment` is neither (an excerpt that the text around it explains).
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

export interface Block {
  /** Relative to the root. */
  readonly readme: string;
  readonly line: number;
  readonly language: string;
  readonly flag: string;
  readonly code: string;
  /** The example that the README shows whole, named by a comment before the block. */
  readonly example?: string;
  /** What the README says that it prints: the `text` block after it, where "It prints" stands between. */
  readonly prints?: string;
}

const fence = /^(`{3,})(\w*)(?: ([\w-]+))?\n([\s\S]*?)^\1$/gm;

/** Every fenced block of every README, CONTRIBUTING and page of docs/. */
export function readmeBlocks(): Block[] {
  const pages = globSync(["*.md", "{packages,apps,tools}/*/README.md", "examples/README.md", "docs/*.md"], {
    cwd: root,
  }).sort();
  return pages.flatMap((readme) => {
    const text = readFileSync(join(root, readme), "utf8");
    return Array.from(text.matchAll(fence), (match) => {
      const [whole, , language = "", flag = "", code = ""] = match;
      const after = text.slice(match.index + whole.length);
      const prints = /^\s*It prints:?\s*```text\n([\s\S]*?)^```$/m.exec(after);
      const line = text.slice(0, match.index).split("\n").length;
      const example = /<!-- (examples\/\S+) -->\n$/.exec(text.slice(0, match.index))?.[1];
      const block = { readme, line, language, flag, code, ...(example !== undefined && { example }) };
      return prints?.index === 0 ? { ...block, prints: (prints[1] ?? "").trimEnd() } : block;
    });
  });
}
