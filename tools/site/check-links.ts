// Every link of the built site leads to a page, a file and a place in it that are there, and nothing is loaded from elsewhere.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "../checks/tree.ts";

const attribute = /<(\w+)[^>]*?\s(?:href|src)="([^"]*)"/g;
const id = /\sid="([^"]*)"/g;

/** What is wrong, each with its page. `base` is the path that the site is served below. */
export function linkProblems(dist: string, base: string): string[] {
  const files = new Set(filesBelow(dist, "."));
  const pages = [...files].filter((file) => file.endsWith(".html"));
  const places = new Map(
    pages.map((page) => [
      page,
      new Set(Array.from(readFileSync(join(dist, page), "utf8").matchAll(id), ([, name = ""]) => unescaped(name))),
    ]),
  );
  return pages.flatMap((page) => {
    const html = readFileSync(join(dist, page), "utf8");
    const problems = Array.from(html.matchAll(attribute)).flatMap(([, tag = "", raw = ""]) => {
      const target = unescaped(raw);
      if (/^[a-z]+:/.test(target)) return tag === "a" ? [] : [`loads ${target} from elsewhere`];
      const url = new URL(target, `http://site${base}${page}`);
      if (!url.pathname.startsWith(base)) return [`${target} leads out of the site`];
      const path = decodeURIComponent(url.pathname.slice(base.length));
      const file = [path, `${path}index.html`, `${path}.html`].find((one) => files.has(one));
      if (file === undefined) return [`${target} leads nowhere`];
      const place = decodeURIComponent(url.hash.slice(1));
      return place === "" || places.get(file)?.has(place) ? [] : [`${target}: ${file} has no place ${place}`];
    });
    return [...new Set(problems)].map((problem) => `${page}: ${problem}`);
  });
}

function unescaped(text: string): string {
  return text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<");
}
