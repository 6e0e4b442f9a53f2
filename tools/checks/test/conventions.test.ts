import { expect, test } from "vitest";
import { checkConventions } from "../conventions.ts";
import { houseWith } from "./fixture.ts";

const folder = "packages/grpo/src";
const sound = { [`${folder}/index.ts`]: "// What grpo is.\nexport {};\n" };

test("a sound package has no problem", () => {
  const error = `// The one error class.\nexport type GrpoErrorCode = "shape";\n\nexport class GrpoError extends Error {\n  override readonly name = "GrpoError";\n  readonly code: GrpoErrorCode;\n}\n`;
  const tree = houseWith({ ...sound, [`${folder}/error.ts`]: error });
  expect(checkConventions(tree).filter((problem) => problem.startsWith(folder))).toEqual([]);
});

test.each([
  ["no head", "export const x = 1;\n", /does not say in its first line/],
  ["a doc comment as head", '/** What it is. */\nimport { y } from "./y.ts";\n', /a file's head is written with \/\//],
  [
    "an object as a type",
    "// What it is.\nexport type Options = {\n  readonly x: number;\n};\n",
    /type Options is an object/,
  ],
  ["British spelling", "// What it is.\nexport const normaliser = 1;\n", /"normaliser" is spelled otherwise/],
])("%s", (_, text, problem) => {
  const found = checkConventions(houseWith({ ...sound, [`${folder}/x.ts`]: text }));
  expect(found.filter((line) => line.startsWith(`${folder}/x.ts`))).toEqual([expect.stringMatching(problem)]);
});

test("an error class of another form", () => {
  const found = checkConventions(
    houseWith({ ...sound, [`${folder}/error.ts`]: "// An error.\nexport class GrpoError extends Error {}\n" }),
  );
  expect(found).toContainEqual(expect.stringContaining("override readonly name"));
});
