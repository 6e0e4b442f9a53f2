// A second copy of the package in a process, as npm can install one, is refused when it is loaded.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("the second copy that is loaded is refused, with place and version of both; the same one again is not", () => {
  const copy = mkdtempSync(join(tmpdir(), "iapo-copy-"));
  onTestFinished(() => rmSync(copy, { recursive: true }));
  cpSync(join(root, "src"), join(copy, "src"), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(copy, "package.json"), JSON.stringify({ ...manifest, version: "7.8.9" }));
  const script = `
    await import(${JSON.stringify(join(root, "src/index.ts"))});
    await import(${JSON.stringify(`${join(root, "src/memory/scope.ts")}?again`)});
    const error = await import(${JSON.stringify(join(copy, "src/index.ts"))}).catch((error) => error);
    console.log(JSON.stringify({ code: error.code, message: error.message }));`;
  const args = ["--conditions=@iapo/source", "--input-type=module", "-e", script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  const { code, message } = JSON.parse(stdout);
  expect(code).toBe("two_copies");
  expect(message).toContain(`${manifest.version} in file://${join(root, "src")}`);
  expect(message).toContain(`7.8.9 in file://${join(copy, "src")}`);
});
