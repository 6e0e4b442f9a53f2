import { expect, test } from "vitest";
import { checkLength, checkPackages, checkWords } from "../files.ts";
import { type Files, houseWith, manifest } from "./fixture.ts";

test("the sound house has no problem", () => {
  const tree = houseWith({});
  expect([...checkLength(tree), ...checkWords(tree), ...checkPackages(tree)]).toEqual([]);
});

test("a source of more than 400 lines", () => {
  const lines = (count: number): string => "// line\n".repeat(count);
  const found = checkLength(
    houseWith({
      "packages/grpo/src/long.ts": lines(401),
      "packages/grpo/src/full.ts": lines(400),
      "docs/long.md": lines(500),
    }),
  );
  expect(found).toEqual(["packages/grpo/src/long.ts: 401 lines; 400 at most, split it by reason to change"]);
});

test("paths and hosts of one machine, but not their look-alikes", () => {
  const bad = [
    `${["", "tmp", "x"].join("/")}`,
    ["..", "shared", "x"].join("/"),
    `https://${["deb", "debian", "org"].join(".")}/`,
  ];
  const tree = houseWith({
    "packages/grpo/src/index.ts": bad.map((word) => `// ${word}`).join("\n"),
    "packages/grpo/src/fine.ts": '// a/work/b, git.example/tmp/x, "./tmp/x"\nimport "./home/index.ts";',
    "packages/grpo/dist/index.js": `// ${bad[0]}`,
    "tools/interop/.venv/notes.md": `// ${bad[0]}`,
    ".git": `gitdir: ${bad[0]}`, // of a second working tree
    "docs/notes.md": `see ${bad[1]}`,
  });
  expect(checkWords(tree).map((line) => line.split(": ")[0])).toEqual([
    "packages/grpo/src/index.ts:1",
    "packages/grpo/src/index.ts:2",
    "packages/grpo/src/index.ts:3",
    "docs/notes.md:1",
  ]);
});

test.each<[string, Files, RegExp]>([
  ["no README", { "packages/grpo/README.md": "" }, /README\.md is missing/],
  ["another license text", { "packages/grpo/LICENSE": "another" }, /LICENSE is missing or differs/],
  ["a wrong name", { "packages/grpo/package.json": manifest("gropo") }, /is named @iapo\/gropo/],
  ["no description", { "packages/grpo/package.json": manifest("grpo", { description: "" }) }, /no description/],
  [
    "the compiler's notes in the tarball",
    { "packages/grpo/package.json": manifest("grpo", { files: ["dist"] }) },
    /does not leave out dist\/\.tsbuildinfo/,
  ],
  [
    "a changelog that nobody gets",
    { "packages/grpo/package.json": manifest("grpo", { files: ["dist", "!dist/.tsbuildinfo"] }) },
    /lacks CHANGELOG\.md/,
  ],
  ["no keywords", { "packages/grpo/package.json": manifest("grpo", { keywords: undefined }) }, /has no keywords/],
  ["no exports", { "packages/grpo/package.json": manifest("grpo", { exports: {} }) }, /exports no main entry/],
  [
    "an entry without a source",
    {
      "packages/grpo/package.json": manifest("grpo", {
        exports: { ".": { "@iapo/source": "./src/gone.ts", types: "./dist/gone.d.ts", default: "./dist/gone.js" } },
      }),
    },
    /exports \. but has no source/,
  ],
  [
    "a dependency without a project reference",
    { "packages/grpo/tsconfig.json": JSON.stringify({ references: [] }) },
    /does not reference @iapo\/tensor-core/,
  ],
  ["a package that the README does not list", { "README.md": "@iapo/tensor-core" }, /root README's table/],
])("%s", (_, changes, problem) => {
  const found = checkPackages(houseWith(changes)).join("\n");
  expect(found).toMatch(problem);
  expect(found).toMatch(/^packages\/grpo: /);
});
