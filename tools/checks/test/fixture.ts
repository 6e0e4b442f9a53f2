// Writes a small house in a temporary folder: sound as it stands, so that each test breaks exactly one thing.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { readTree, type Tree } from "../tree.ts";

export type Files = Record<string, string>;

export function manifest(room: string, fields: object = {}): string {
  return JSON.stringify({
    name: `@iapo/${room}`,
    description: `What ${room} is for, in a sentence.`,
    license: "Apache-2.0",
    type: "module",
    keywords: [room],
    homepage: "https://example.org/",
    bugs: "https://example.org/issues",
    repository: { type: "git" },
    files: ["dist", "!dist/.tsbuildinfo", "CHANGELOG.md"],
    exports: { ".": { "@iapo/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" } },
    ...fields,
  });
}

function packageFiles(room: string, fields: object = {}, references: string[] = []): Files {
  const folder = `packages/${room}`;
  return {
    [`${folder}/package.json`]: manifest(room, fields),
    [`${folder}/tsconfig.json`]: JSON.stringify({ references: references.map((other) => ({ path: `../${other}` })) }),
    [`${folder}/README.md`]: `# @iapo/${room}\n`,
    [`${folder}/LICENSE`]: "the license",
    [`${folder}/src/index.ts`]: "export {};\n",
  };
}

const house: Files = {
  "package.json": JSON.stringify({ name: "house", devDependencies: { vitest: "1" } }),
  "README.md": "@iapo/tensor-core @iapo/grpo @iapo/rollout-trace @iapo/visual-tools\n",
  LICENSE: "the license",
  ...packageFiles("rollout-trace", { dependencies: { zod: "4" } }),
  ...packageFiles("tensor-core", { peerDependencies: { webgpu: "0.6" } }),
  ...packageFiles("visual-tools", { dependencies: { "@iapo/rollout-trace": "1" } }, ["rollout-trace"]),
  ...packageFiles("grpo", { dependencies: { "@iapo/tensor-core": "1" } }, ["tensor-core"]),
};

/** The sound house with `changes` written over it. */
export function houseWith(changes: Files): Tree {
  const root = mkdtempSync(join(tmpdir(), "iapo-house-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [file, text] of Object.entries({ ...house, ...changes })) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return readTree(root);
}
