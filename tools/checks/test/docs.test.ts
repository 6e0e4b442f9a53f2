import { expect, test } from "vitest";
import { checkArchitecture, importTable } from "../architecture.ts";
import { checkCitations } from "../citations.ts";
import { houseWith } from "./fixture.ts";

test("a citation leads to a heading of a page that is there", () => {
  const found = checkCitations(
    houseWith({
      "docs/method.md": "# The method\n\n## F. IAPO\n\n### F1. Prompt\n\n### F10. Advantage\n\n## 0. Decisions\n",
      "docs/model.md": "# A model\n\n### Vision tower\n",
      "packages/grpo/src/good.ts": '// As docs/method.md F1, F10 and section 0 say; docs/model.md "Vision tower".\n',
      "packages/grpo/src/bad.ts": "// See docs/method.md F1 and F2.\n// See docs/gone.md 1.\n",
    }),
  );
  expect(found).toEqual([
    "packages/grpo/src/bad.ts:1: docs/method.md has no heading F2",
    "packages/grpo/src/bad.ts:2: cites docs/gone.md, which is not there",
  ]);
});

test("the page of the architecture has today's table of imports", () => {
  const imports = { "packages/grpo/src/index.ts": 'import { x } from "@iapo/tensor-core";\n' };
  const table = importTable(houseWith(imports));
  expect(table).toContain("| `grpo` | `tensor-core` |\n");
  const page = (text: string) => ({
    ...imports,
    "docs/architecture.md": `<!-- imports: x -->\n${text}<!-- /imports -->\n`,
  });
  expect(checkArchitecture(houseWith(page(table)))).toEqual([]);
  expect(checkArchitecture(houseWith(page("")))).toHaveLength(1);
});
