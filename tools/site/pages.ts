// The pages of the site, found where they lie in the repository: none has a second copy. A page that is added there is one of the site.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "../checks/tree.ts";

export interface Page {
  /** Relative to the repository's root. */
  readonly file: string;
  /** Below the site's root, without an ending. */
  readonly path: string;
  /** Its first heading. */
  readonly title: string;
}

export interface Section {
  readonly text: string;
  readonly pages: readonly Page[];
}

/** What a new reader goes through, in this order; all other pages of docs/ follow in "Behind it". */
const begin = [
  "first-hour",
  "tour",
  "one-card",
  "memory",
  "your-own",
  "fleet",
  "view",
  "gpu-day",
  "troubleshooting",
  "faq",
];

export function sectionsOf(root: string): Section[] {
  const docs = filesBelow(root, "docs").filter((file) => /^docs\/(decisions\/)?[^/]+\.md$/.test(file));
  const isFirst = (file: string): boolean => begin.some((name) => file === `docs/${name}.md`);
  const readmes = (room: string): string[] =>
    filesBelow(root, room).filter((file) => /^[^/]+\/[^/]+\/README\.md$/.test(file));
  const section = (text: string, files: readonly string[]): Section => ({
    text,
    pages: files.map((file) => ({ file, path: pathOf(file), title: titleOf(root, file) })),
  });
  return [
    section("Begin", [
      "docs/README.md",
      ...begin.map((name) => `docs/${name}.md`).filter((file) => docs.includes(file)),
    ]),
    section("Packages", [...readmes("apps"), ...readmes("packages"), "examples/README.md"]),
    section(
      "Behind it",
      docs.filter((file) => file !== "docs/README.md" && !isFirst(file)),
    ),
    section("Working on it", ["CONTRIBUTING.md", ...readmes("tools"), "SECURITY.md", "CODE_OF_CONDUCT.md"]),
  ];
}

/** docs/ is the site's root; a README is its folder's page. */
function pathOf(file: string): string {
  return file
    .replace(/^docs\//, "")
    .replace(/README\.md$/, "index")
    .replace(/\.md$/, "");
}

function titleOf(root: string, file: string): string {
  const [, title] = /^# (.+)$/m.exec(readFileSync(join(root, file), "utf8")) ?? [];
  if (title === undefined) throw new Error(`${file} has no heading`);
  return title.replaceAll("`", "");
}
