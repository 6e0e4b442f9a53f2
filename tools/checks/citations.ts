// Sources cite pages of docs/ by anchor, as `docs/method.md F6` or `docs/qwen2.5-vl.md "Vision tower"`: each anchor must be a heading there.
// Pages name files and folders, as `packages/grpo/src/run`: each must be there.
import { dirname, join } from "node:path";
import { filesBelow, type Tree } from "./tree.ts";

const citation =
  /docs\/([\w.-]+\.md)((?:(?:,| and| to|;)? (?:section )?(?:[A-Z]\.?\d+|[A-Z]\b|\d+(?:\.\d+)?\b|"[^"]+"))*)/g;
const anchor = /[A-Z]\.?\d+|\b[A-Z]\b|\d+(?:\.\d+)?|"[^"]+"/g;
/** Pages that are cited by anchor only: as a whole they say too much. Links to them are another matter. */
const byAnchor = new Set(["method.md", "qwen2.5-vl.md", "qwen3-vl.md", "architecture.md"]);

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
        const isLink = /\]\([./]*$/.test(text.slice(0, match.index));
        if (anchors === "" && byAnchor.has(page) && !isLink)
          return [`${file}:${line}: cites docs/${page} without saying where in it`];
        return Array.from(anchors.matchAll(anchor), ([name]) => name.replaceAll('"', ""))
          .filter((name) => !known.some((heading) => names(name, heading)))
          .map((name) => `${file}:${line}: docs/${page} has no heading ${name}`);
      });
    });
}

/** `3` and `Vision tower` name the heading `3. Vision tower`. */
function names(anchored: string, heading: string): boolean {
  const escaped = anchored.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return heading.replace(/^\d+\. /, "") === anchored || new RegExp(`^${escaped}(?:[ .:]|$)`).test(heading);
}

const path = /`((?:packages|apps|tools|examples|docs|scripts)\/[\w./@-]*\w)`/g;
const link = /\]\(([^)\s:]+)\)/g;

/** What pages of docs, READMEs and CONTRIBUTING name as a path, or link to, is there. Links to a place in a page are to a heading of it. */
export function checkPaths(tree: Tree): string[] {
  const readmes = ["packages", "apps", "tools", "examples"].flatMap((room) => filesBelow(tree.root, room));
  const pages = [
    ...["README.md", "CONTRIBUTING.md"].filter((page) => tree.exists(page)),
    ...filesBelow(tree.root, "docs").filter((page) => page.endsWith(".md")),
    ...readmes.filter((page) => page.endsWith("/README.md")),
  ];
  return pages.flatMap((page) => {
    const text = tree.read(page);
    const lineOf = (index: number): number => text.slice(0, index).split("\n").length;
    const paths = Array.from(text.matchAll(path)).flatMap(({ 1: named = "", index }) =>
      folders(page).some((folder) => tree.exists(join(folder, named)))
        ? []
        : [`${page}:${lineOf(index)}: there is no ${named}`],
    );
    const links = Array.from(text.matchAll(link)).flatMap(({ 1: target = "", index }) => {
      const [file = "", place] = target.split("#");
      const to = file === "" ? page : join(dirname(page), file);
      const isThere = tree.exists(to) && (place === undefined || placesOf(tree.read(to)).includes(place));
      return isThere ? [] : [`${page}:${lineOf(index)}: the link to ${target} leads nowhere`];
    });
    return [...paths, ...links];
  });
}

/** That a path in a page may start from: its own, and those around it. */
function folders(page: string): string[] {
  const folder = dirname(page);
  return folder === "." ? ["."] : [folder, ...folders(folder)];
}

/** Names of headings as links spell them. */
function placesOf(text: string): string[] {
  const headings = Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading = ""]) => heading.toLowerCase());
  return headings.map((heading) => heading.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-"));
}
