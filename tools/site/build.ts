// pnpm run docs: the documentation as a site in tools/site/dist: pages of the repository, a reference by TypeDoc, search that works offline.
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { linkProblems } from "./check-links.ts";
import { performancePage, settingsPage } from "./generated.ts";
import { linked } from "./links.ts";
import { sectionsOf } from "./pages.ts";

const run = promisify(execFile);
const here = import.meta.dirname;
const root = join(here, "../..");
/** What VitePress is given: pages with the site's links, and the pages that are made here. */
const staged = join(here, ".cache/pages");

const made = {
  performance: { title: "Performance", make: performancePage },
  settings: { title: "Settings", make: settingsPage },
} as const;

/** What does not hold of the built site. @throws Error where it cannot be built */
export async function buildSite(): Promise<string[]> {
  const options = { cwd: here, maxBuffer: 2 ** 26 };
  await run("pnpm", ["install", "--frozen-lockfile", "--reporter=silent"], {
    ...options,
    env: { ...process.env, CI: "true" },
  });
  await rm(staged, { recursive: true, force: true });
  await run("node", ["api.ts", join(staged, "api")], options); // of its own, as it needs what was installed just now
  await writePages();
  await cp(join(here, "node_modules/mermaid/dist/mermaid.min.js"), join(staged, "public/mermaid.min.js"));
  await run("node", ["node_modules/vitepress/bin/vitepress.js", "build", "."], options);
  return linkProblems(join(here, "dist"), "/iapo/");
}

async function writePages(): Promise<void> {
  const sections = sectionsOf(root);
  const pages = sections.flatMap((section) => section.pages);
  for (const { file, path } of pages) {
    const { text, pictures } = linked(root, file, await readFile(join(root, file), "utf8"), pages);
    await write(`${path}.md`, text);
    for (const picture of pictures) await cp(join(root, picture), join(staged, "public", picture));
  }
  for (const [path, { make }] of Object.entries(made)) await write(`${path}.md`, make(root));
  await rename(join(staged, "api/README.md"), join(staged, "api/index.md"));
  const reference = {
    text: "Reference",
    pages: [...Object.entries(made).map(([path, { title }]) => ({ path, title })), { path: "api/index", title: "API" }],
  };
  await write("sections.json", JSON.stringify([sections[0], reference, ...sections.slice(1)]));
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(staged, path)), { recursive: true });
  await writeFile(join(staged, path), text);
}

if (import.meta.main) {
  const problems = await buildSite().catch((error: Error & { stderr?: string }) => [error.stderr ?? String(error)]);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
  if (problems.length === 0)
    console.log(
      "tools/site/dist; to look at it: cd tools/site && node node_modules/vitepress/bin/vitepress.js preview",
    );
}
