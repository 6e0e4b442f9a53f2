// The declarations that are shipped name no global of WebGPU: programs compile with and without the DOM's types, libraries checked.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const compiler = join(root, "../../node_modules/.bin/tsc");
let folder: string;

function compile(...args: string[]): string {
  return spawnSync(compiler, args, { encoding: "utf8" }).stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "iapo-declarations-"));
  const out = ["--emitDeclarationOnly", "--outDir", join(folder, "dist"), "--tsBuildInfoFile", join(folder, "info")];
  expect(compile("-p", join(root, "tsconfig.json"), ...out)).toBe("");
  const program = `import { type DeviceOptions, openDevice } from "./dist/index.js";
    export { openSafetensors } from "./dist/safetensors/index.js";
    export { expectNoLeak } from "./dist/testing/index.js";
    export async function open(options: DeviceOptions): Promise<number> { return (await openDevice(options)).memory().liveBytes; }`;
  writeFileSync(join(folder, "program.ts"), program);
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["without the DOM", ["es2024", "esnext.disposable"]],
  ["with the DOM", ["es2024", "esnext.disposable", "dom"]],
])("a program compiles %s, libraries checked", (_, lib) => {
  const strict = { strict: true, skipLibCheck: false, noEmit: true, target: "es2022", module: "nodenext" };
  const node = { typeRoots: [join(root, "../../node_modules/@types")], types: ["node"] };
  const options = { compilerOptions: { ...strict, ...node, lib }, files: ["program.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
  expect(compile("-p", folder)).toBe("");
});
