// Sources cite pages of docs/ by anchor, as `docs/method.md F6` or `docs/qwen2.5-vl.md "Vision tower"`: each anchor must be a heading there.
import { filesBelow, type Tree } from "./tree.ts";

const citation =
  /docs\/([\w.-]+\.md)((?:(?:,| and| to|;)? (?:section )?(?:[A-Z]\.?\d+|[A-Z]\b|\d+(?:\.\d+)?\b|"[^"]+"))*)/g;
const anchor = /[A-Z]\.?\d+|\b[A-Z]\b|\d+(?:\.\d+)?|"[^"]+"/g;

export function checkCitations(tree: Tree): string[] {
  const headings = new Map<string, string[]>();
  const headingsOf = (page: string): string[] | undefined => {
    if (!tree.exists(`docs/${page}`)) return undefined;
    const known =
      headings.get(page) ?? Array.from(tree.read(`docs/${page}`).matchAll(/^#+ (.+)$/gm), (match) => String(match[1]));
    headings.set(page, known);
    return known;
  };
  const files = ["packages", "apps", "examples", "tools/bench"].flatMap((room) => filesBelow(tree.root, room));
  return files
    .filter((file) => /\.(ts|md)$/.test(file))
    .flatMap((file) => {
      const text = tree.read(file);
      return Array.from(text.matchAll(citation)).flatMap((match) => {
        const [, page = "", anchors = ""] = match;
        const line = text.slice(0, match.index).split("\n").length;
        const known = headingsOf(page);
        if (known === undefined) return [`${file}:${line}: cites docs/${page}, which is not there`];
        return Array.from(anchors.matchAll(anchor), ([name]) => name.replaceAll('"', ""))
          .filter(
            (name) => !known.some((heading) => heading === name || new RegExp(`^${escaped(name)}[ .:]`).test(heading)),
          )
          .map((name) => `${file}:${line}: docs/${page} has no heading ${name}`);
      });
    });
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
