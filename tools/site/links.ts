// Links of a page in the repository as links of the site: to pages there, to pictures, and for the rest to the repository.
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Page } from "./pages.ts";

const repository = "https://github.com/iapo-webgpu/iapo";
const code = /(^(`{3,})[\s\S]*?^\2$|`[^`\n]+`)/m;
const link = /(\]\()([^)\s:]+)(\))/g;

export interface Linked {
  readonly text: string;
  /** Pictures that it shows, relative to the root. */
  readonly pictures: readonly string[];
}

/** `text` of the page `file`, with each relative link led to where it is on the site. @throws Error for one that leads nowhere */
export function linked(root: string, file: string, text: string, pages: readonly Page[]): Linked {
  const byFile = new Map(pages.map((page) => [page.file, page.path]));
  const pictures: string[] = [];
  const targetOf = (target: string): string => {
    const [path = "", place] = target.split("#");
    if (path === "") return target;
    const to = join(dirname(file), path).replace(/\/$/, "");
    if (!existsSync(join(root, to))) throw new Error(`${file}: the link to ${target} leads nowhere`);
    const isFolder = statSync(join(root, to)).isDirectory();
    const page = byFile.get(isFolder ? `${to}/README.md` : to);
    const anchor = place === undefined ? "" : `#${place}`;
    if (page !== undefined) return `/${page.replace(/(^|\/)index$/, "$1")}${anchor}`;
    if (/\.(png|svg|jpg)$/.test(to)) {
      pictures.push(to);
      return `/${to}`;
    }
    return `${repository}/${isFolder ? "tree" : "blob"}/main/${to}${anchor}`;
  };
  const parts = splitCode(text).map((part, i) =>
    i % 2 === 1
      ? part
      : part.replace(link, (_, open: string, target: string, close: string) => open + targetOf(target) + close),
  );
  return { text: parts.join(""), pictures };
}

/** Prose and code in turns, prose first. */
function splitCode(text: string): string[] {
  const parts: string[] = [];
  for (let rest = text; ; ) {
    const found = code.exec(rest);
    if (found === null) return [...parts, rest];
    parts.push(rest.slice(0, found.index), found[0]);
    rest = rest.slice(found.index + found[0].length);
  }
}
