import { expect, test } from "vitest";
import { checkArchitecture, drawing, importTable } from "../architecture.ts";
import { checkCitations, checkPaths } from "../citations.ts";
import { houseWith } from "./fixture.ts";

test("a citation leads to a heading of a page that is there", () => {
  const found = checkCitations(
    houseWith({
      "docs/method.md": "# The method\n\n## F. IAPO\n\n### F1. Prompt\n\n### F10. Advantage\n\n## 0. Decisions\n",
      "docs/model.md": "# A model\n\n### 3. Vision tower\n",
      "packages/grpo/src/good.ts": '// As docs/method.md F1, F10 and section 0 say; docs/model.md "Vision tower".\n',
      "packages/grpo/README.md": "# @iapo/grpo\n\nIn [the method](../../docs/method.md).\n",
      "packages/grpo/src/bad.ts":
        "// See docs/method.md F1 and F2.\n// See docs/gone.md 1.\n// docs/method.md says all.\n",
    }),
  );
  expect(found).toEqual([
    "packages/grpo/src/bad.ts:1: docs/method.md has no heading F2",
    "packages/grpo/src/bad.ts:2: cites docs/gone.md, which is not there",
    "packages/grpo/src/bad.ts:3: cites docs/method.md without saying where in it",
  ]);
});

test("a path that a page names, and a link of it, is there", () => {
  const found = checkPaths(
    houseWith({
      "docs/page.md":
        "# A page\n\n## A place of it\n\n`packages/grpo/src/index.ts` and `packages/grpo/src` are there,\n`packages/grpo/src/gone.ts` is not.\n",
      "CONTRIBUTING.md":
        "`tools/gone`, [a page](docs/page.md), [its place](docs/page.md#a-place-of-it), [none](docs/page.md#gone)\n",
      "packages/grpo/README.md":
        "# @iapo/grpo\n\n[a page](../../docs/page.md), [nothing](docs/page.md), [the web](https://example.org/x)\n",
    }),
  );
  expect(found).toEqual([
    "CONTRIBUTING.md:1: there is no tools/gone",
    "CONTRIBUTING.md:1: the link to docs/page.md#gone leads nowhere",
    "docs/page.md:6: there is no packages/grpo/src/gone.ts",
    "packages/grpo/README.md:3: the link to docs/page.md leads nowhere",
  ]);
});

test("the drawing leaves out arrows that follow from others, and those to the ground", () => {
  const imports = (...names: string[]) => names.map((name) => `import { x } from "@iapo/${name}";\n`).join("");
  const tree = houseWith({
    "packages/grpo/src/index.ts": imports("tensor-core", "visual-tools", "rollout-trace"),
    "packages/visual-tools/src/index.ts": imports("tensor-core", "rollout-trace"),
  });
  const arrows = ["  grpo --> visual-tools", "  visual-tools --> tensor-core", "  rollout-trace"];
  expect(drawing(tree)).toBe(`\`\`\`mermaid\nflowchart TD\n${arrows.join("\n")}\n\`\`\`\n`);
});

test("the page of the architecture has today's table of imports", () => {
  const imports = { "packages/grpo/src/index.ts": 'import { x } from "@iapo/tensor-core";\n' };
  const table = importTable(houseWith(imports));
  expect(table).toContain("| `grpo` | `tensor-core` |\n");
  const today = drawing(houseWith(imports));
  const page = (text: string, picture = today) => ({
    ...imports,
    "docs/architecture.md": `<!-- drawing: x -->\n${picture}<!-- /drawing -->\n<!-- imports: x -->\n${text}<!-- /imports -->\n`,
  });
  expect(checkArchitecture(houseWith(page(table)))).toEqual([]);
  expect(checkArchitecture(houseWith(page("")))).toHaveLength(1);
  expect(checkArchitecture(houseWith(page(table, "")))).toHaveLength(1);
});
