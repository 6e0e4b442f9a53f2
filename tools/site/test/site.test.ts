// What the site is made of: pages of the repository, links that are led to where they belong, a check that finds what leads nowhere.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { linkProblems } from "../check-links.ts";
import { performancePage, settingsPage } from "../generated.ts";
import { linked } from "../links.ts";
import { sectionsOf } from "../pages.ts";

const root = join(import.meta.dirname, "../../..");
const pages = sectionsOf(root).flatMap((section) => section.pages);

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-site-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

test("each page stands once, and is a file of the repository", () => {
  const files = pages.map(({ file }) => file);
  expect(new Set(files).size).toBe(files.length);
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  expect(files).toContain("packages/grpo/README.md");
  expect(new Set(pages.map(({ path }) => path)).size).toBe(files.length);
});

test("links lead to pages of the site, pictures are taken along, the rest is in the repository", () => {
  const text = `[a](method.md#d-group-relative-policy-optimization) [b](../packages/grpo) [c](../packages/grpo/src/index.ts)
![d](figures/faults.svg) [e](#here) [f](https://x.org/y) \`[g](nowhere.md)\`
\`\`\`md
[h](nowhere.md)
\`\`\`
`;
  const { text: made, pictures } = linked(root, "docs/results.md", text, pages);
  expect(
    made,
  ).toBe(`[a](/method#d-group-relative-policy-optimization) [b](/packages/grpo/) [c](https://github.com/iapo-webgpu/iapo/blob/main/packages/grpo/src/index.ts)
![d](/docs/figures/faults.svg) [e](#here) [f](https://x.org/y) \`[g](nowhere.md)\`
\`\`\`md
[h](nowhere.md)
\`\`\`
`);
  expect(pictures).toEqual(["docs/figures/faults.svg"]);
  expect(() => linked(root, "docs/results.md", "[a](nowhere.md)", pages)).toThrow(/docs\/results\.md.*nowhere\.md/);
});

test("the check of the built site finds dead links, dead places, and what is loaded from elsewhere", () => {
  const dist = folderWith({
    "index.html":
      '<a href="/iapo/a.html#here">1</a><a href="/iapo/b/">2</a><a href="https://x.org">3</a><a href="a">4</a>',
    "a.html": '<h2 id="here"></h2><img src="/iapo/p.png"><script src="/iapo/s.js"></script>',
    "b/index.html":
      '<a href="../a.html#there">1</a><a href="c.html">2</a><a href="/a.html">3</a><script src="https://x.org/s.js"></script>',
    "s.js": "",
  });
  expect(linkProblems(dist, "/iapo/").sort()).toEqual([
    "a.html: /iapo/p.png leads nowhere",
    "b/index.html: ../a.html#there: a.html has no place there",
    "b/index.html: /a.html leads out of the site",
    "b/index.html: c.html leads nowhere",
    "b/index.html: loads https://x.org/s.js from elsewhere",
  ]);
});

test("every benchmark's rows and every key of the schema are on their pages", () => {
  const { rows } = JSON.parse(readFileSync(join(root, "bench/results/matmul.json"), "utf8")) as {
    rows: { case: string; unit: string; ours: number }[];
  };
  const performance = performancePage(root);
  for (const row of rows) expect(performance).toContain(`| ${row.case} | ${row.unit} | ${row.ours} |`);
  const settings = settingsPage(root);
  for (const key of ["grpo.loss.kl.estimator", "iapo.lambda", "environment.tools"])
    expect(settings).toContain(`\`${key}\``);
});
