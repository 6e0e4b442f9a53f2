import { expect, test } from "vitest";
import { checkBoundaries } from "../boundaries.ts";
import { parseImports } from "../tree.ts";
import { type Files, houseWith, manifest } from "./fixture.ts";

const problems = (changes: Files): string[] => checkBoundaries(houseWith(changes));

test("the sound house has no problem", () => {
  expect(
    problems({
      "packages/grpo/src/index.ts":
        'import { x } from "@iapo/tensor-core";\nimport { readFile } from "node:fs/promises";\n',
      "packages/visual-tools/src/index.ts": 'export type { Trace } from "@iapo/rollout-trace";\n',
      "packages/rollout-trace/src/index.ts": 'import * as z from "zod";\n',
      "packages/tensor-core/test/a.test.ts": 'import { test } from "vitest";\nimport "../src/index.ts";\n',
    }),
  ).toEqual([]);
});

test.each<[string, string, string]>([
  ["an arrow that points upwards", "tensor-core", 'import { step } from "@iapo/grpo";'],
  ["an arrow that points upwards, types only", "tensor-core", 'import type { Step } from "@iapo/grpo";'],
  ["a re-export that points upwards", "tensor-core", 'export * from "@iapo/grpo/math";'],
  ["a dynamic import that points upwards", "tensor-core", 'const later = () => import("@iapo/grpo");'],
  ["an import over several lines", "tensor-core", 'import {\n  one,\n  two,\n} from "@iapo/grpo";'],
])("%s", (_, room, code) => {
  const found = problems({ [`packages/${room}/src/index.ts`]: code });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^packages\/tensor-core\/src\/index\.ts:1: tensor-core may not import @iapo\/grpo/);
});

test("a package without a rule", () => {
  expect(problems({ "packages/novel/package.json": manifest("novel") })).toEqual([
    "packages/novel: tools/checks/boundaries.ts does not say what it may import",
  ]);
});

test("an import that is not declared, in sources and in tests", () => {
  const found = problems({
    "packages/grpo/src/index.ts": 'import "left-pad";',
    "packages/grpo/test/a.test.ts": 'import "vitest";\nimport "left-pad";',
  });
  expect(found).toEqual([
    "packages/grpo/src/index.ts:1: left-pad is imported but not among the dependencies",
    "packages/grpo/test/a.test.ts:2: left-pad is imported but not declared",
  ]);
});

test("a development dependency does not serve the sources, but for those that are bundled", () => {
  expect(problems({ "packages/grpo/src/index.ts": 'import "vitest";' })).toHaveLength(1);
  expect(problems({ "packages/grpo/src/client/main.ts": 'import "vitest";' })).toEqual([]);
  expect(problems({ "packages/grpo/src/client/main.ts": 'import "left-pad";' })).toHaveLength(1);
});

test("rollout-trace imports zod only", () => {
  const found = problems({
    "packages/rollout-trace/package.json": manifest("rollout-trace", { dependencies: { zod: "4", commander: "1" } }),
    "packages/rollout-trace/src/index.ts": 'import "commander";',
  });
  expect(found).toEqual(["packages/rollout-trace/src/index.ts:1: rollout-trace may import only zod, not commander"]);
});

test("a relative import that leaves the package", () => {
  const found = problems({
    "packages/grpo/src/index.ts": 'import "../../tensor-core/src/index.ts";',
    "packages/grpo/test/a.test.ts": 'import "../../tensor-core/src/index.ts";',
    "packages/grpo/bench/a.bench.ts": 'import { matmul } from "../../../tools/bench/workloads/matmul.ts";',
    "packages/grpo/bench/b.bench.ts": 'import { buildNullCard } from "../../../tools/null-card/null-card.ts";',
  });
  expect(found.map((line) => line.split(":")[0])).toEqual([
    "packages/grpo/src/index.ts",
    "packages/grpo/test/a.test.ts",
  ]);
});

test("a GPU-free entry that reaches the GPU through another file, another package and a conditional import", () => {
  const entry = (name: string): object => ({ "@iapo/source": `./src/${name}.ts`, types: "-", default: "-" });
  const found = problems({
    "packages/grpo/package.json": manifest("grpo", {
      dependencies: { "@iapo/tensor-core": "1" },
      exports: { ".": entry("index"), "./math": entry("math") },
    }),
    "packages/grpo/src/math.ts": 'import "./helper.ts";',
    "packages/grpo/src/helper.ts": 'import "@iapo/tensor-core";',
    "packages/tensor-core/package.json": manifest("tensor-core", {
      dependencies: { webgpu: "1" },
      imports: { "#host": { node: { "@iapo/source": "./src/host.ts", default: "./dist/host.js" }, default: "-" } },
    }),
    "packages/tensor-core/src/index.ts": 'import { create } from "#host";',
    "packages/tensor-core/src/host.ts": 'import "webgpu";',
  });
  const path = ["grpo/src/math.ts", "grpo/src/helper.ts", "tensor-core/src/index.ts", "tensor-core/src/host.ts"];
  expect(found).toEqual([
    `@iapo/grpo ./math must load no GPU code: ${path.map((file) => `packages/${file}`).join(" -> ")} -> webgpu`,
  ]);
});

test("a GPU-free package that loads Dawn", () => {
  const found = problems({
    "packages/visual-tools/package.json": manifest("visual-tools", { dependencies: { webgpu: "1" } }),
    "packages/visual-tools/src/index.ts": 'import "webgpu";',
  });
  expect(found).toEqual(["@iapo/visual-tools . must load no GPU code: packages/visual-tools/src/index.ts -> webgpu"]);
});

test("a GPU-free entry may load what touches no device, and import types of what does", () => {
  const entry = (path: string): object => ({ "@iapo/source": path, types: "-", default: "-" });
  const found = problems({
    "packages/tensor-core/package.json": manifest("tensor-core", {
      dependencies: { webgpu: "1" },
      exports: { ".": entry("./src/index.ts"), "./safetensors": entry("./src/safetensors/index.ts") },
    }),
    "packages/tensor-core/src/index.ts": 'import "webgpu";',
    "packages/tensor-core/src/safetensors/index.ts": 'import "../errors.ts";',
    "packages/tensor-core/src/errors.ts": "export const x = 1;",
    "packages/grpo/package.json": manifest("grpo", {
      dependencies: { "@iapo/tensor-core": "1" },
      exports: { ".": entry("./src/index.ts"), "./math": entry("./src/math.ts") },
    }),
    "packages/grpo/src/math.ts":
      'import "@iapo/tensor-core/safetensors";\nimport type { Device } from "@iapo/tensor-core";',
  });
  expect(found).toEqual([]);
});

test("circular imports, but not circles of types or of late imports", () => {
  const found = problems({
    "packages/grpo/src/a.ts": 'import "./b.ts";\nimport type { C } from "./c.ts";',
    "packages/grpo/src/b.ts": 'export { a } from "./a.ts";',
    "packages/grpo/src/c.ts": 'import "./d.ts";',
    "packages/grpo/src/d.ts": 'import type { C } from "./c.ts";\nconst later = () => import("./c.ts");',
  });
  expect(found).toEqual([
    "circular imports: packages/grpo/src/a.ts -> packages/grpo/src/b.ts -> packages/grpo/src/a.ts",
  ]);
});

test("imports in comments and strings are none", () => {
  const source = [
    '// import "a";',
    '/* import b from "b"; */',
    "const text = \"import c from 'c'\";",
    'export const d = { from: "d" };',
    'import e, { type f } from "e";',
    'import type { g } from "g";',
    'import "h";',
  ].join("\n");
  expect(parseImports(source)).toEqual([
    { specifier: "e", line: 5, runtime: true, dynamic: false },
    { specifier: "g", line: 6, runtime: false, dynamic: false },
    { specifier: "h", line: 7, runtime: true, dynamic: false },
  ]);
});
