// The command line through its real file, in processes of its own, on the real adapter.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const main = join(import.meta.dirname, "../src/main.ts");

interface Ended {
  code: number | null;
  signal: string | null;
  out: string;
  err: string;
}

function iapo(
  args: string[],
  env: NodeJS.ProcessEnv = {},
  onOutput?: (err: string, kill: () => void) => void,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn("node", ["--conditions=@iapo/source", "--no-warnings", main, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
      onOutput?.(err, () => child.kill("SIGINT"));
    });
    child.on("close", (code, signal) => resolve({ code, signal, out, err }));
  });
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const withoutAdapter = { VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" };

test("help shows every command, examples and exit codes", async () => {
  const { code, out } = await iapo(["--help"]);
  expect(code).toBe(0);
  for (const part of ["doctor", "demo", "--quiet", "Examples:", "Exit codes:", "130"]) expect(out).toContain(part);
});

test.each([
  [["domo"], /unknown command 'domo'[\s\S]*Did you mean demo/],
  [["demo", "--steps", "0"], /whole number of at least 1/],
  [["demo", "--steps", "1e3.5"], /whole number of at least 1/],
  [["doctor", "--jsn"], /unknown option '--jsn'[\s\S]*--json/],
])("%j is refused with exit code 2", async (args, message) => {
  const { code, out, err } = await iapo(args);
  expect(code).toBe(2);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/^ +at /m);
  expect(out).toBe("");
});

test("doctor --json tells the adapter, limits, memory and findings", async () => {
  const { code, out } = await iapo(["doctor", "--json"]);
  expect(code).toBe(0);
  const found = JSON.parse(out);
  expect(found.node).toBe(process.versions.node);
  expect(found.adapter.description).not.toBe("");
  expect(found.limits.maxStorageBufferBindingSize).toBe(found.adapter.maxBinding);
  expect(found.limits.maxBufferSize).toBeGreaterThanOrEqual(2 ** 28);
  expect(found.memory.free).toBeLessThanOrEqual(found.memory.total);
  expect(found.findings.length).toBeGreaterThan(0);
});

test("doctor --kernels lists the pipelines of a training step", async () => {
  const { code, out } = await iapo(["doctor", "--json", "--kernels"]);
  expect(code).toBe(0);
  const { kernels } = JSON.parse(out) as { kernels: { kernel: string; milliseconds: number }[] };
  expect(kernels.map(({ kernel }) => kernel)).toEqual(
    expect.arrayContaining(["matmul_tile", "attention_stats", "adamw_count"]),
  );
  expect(kernels.length).toBeLessThanOrEqual(60);
  expect(kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeGreaterThan(1);
});

test("without an adapter doctor reports it, demo refuses on one screen, both with exit code 3", async () => {
  const report = await iapo(["doctor", "--json"], withoutAdapter);
  expect(report.code).toBe(3);
  expect(JSON.parse(report.out)).toMatchObject({ adapter: null, findings: [{ level: "missing" }] });
  const folder = temporaryFolder();
  const refusal = await iapo(["demo", "--out", join(folder, "demo")], withoutAdapter);
  expect(refusal.code).toBe(3);
  expect(refusal.err).toMatch(/iapo: no WebGPU adapter was found\. .*\(no_adapter\)/);
  expect(refusal.err).not.toMatch(/^ +at .*\.[tj]s:/m); // Dawn itself prints a place in its C++ sources
  expect(readdirSync(folder)).toEqual([]);
});

test("demo takes a chart through the model and trains, the same twice, and leaves its pictures whole", async () => {
  const folder = temporaryFolder();
  const out = (name: string): string => join(folder, "runs", name);
  const loud = await iapo(["demo", "--steps", "6", "--out", out("a")]);
  const quiet = await iapo(["--quiet", "demo", "--steps", "6", "--out", out("b")]);
  expect([loud.code, quiet.code]).toEqual([0, 0]);
  expect(loud.out).toMatch(/log-probs of (\d+) of \1 sampled tokens equal to the bit/);
  expect(loud.out).toMatch(/export: [1-9]\d* rows of logits equal to the bit/);
  const [, first, last] = /^loss (\S+) -> (\S+) in 6 steps/m.exec(loud.out) ?? [];
  expect(Number(last)).toBeLessThan(Number(first) - 0.5);
  expect(loud.err).toMatch(/[\u2801-\u28ff]{3}/);
  expect(quiet.err).not.toMatch(/supervised|[\u2801-\u28ff]/);
  for (const file of ["edit.png", "loss.svg"]) {
    expect(readFileSync(join(out("a"), file))).toEqual(readFileSync(join(out("b"), file)));
  }
  const curve = readFileSync(join(out("a"), "loss.svg"), "utf8");
  expect(curve.match(/<polyline points="([^"]*)"/)?.[1]?.split(" ")).toHaveLength(6);
  expect(readdirSync(out("a")).sort()).toEqual(["edit.png", "loss.svg"]);
});

test("a place that cannot be written to is found out before the work", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  const { code, err } = await iapo(["demo", "--steps", "100000", "--out", join(folder, "file", "demo")]);
  expect(code).toBe(1);
  expect(err).toMatch(/iapo: .*file.*\((ENOTDIR|EEXIST)\)/);
  expect(err).not.toContain("chart");
});

test("an interrupt in the middle ends the run in order", async () => {
  const folder = temporaryFolder();
  let sent = false;
  const { code, signal, err } = await iapo(["demo", "--steps", "1000000", "--out", folder], {}, (err, interrupt) => {
    if (sent || !err.includes("step 10:")) return;
    sent = true; // a second interrupt would end the process at once
    interrupt();
  });
  expect({ code, signal }).toEqual({ code: 130, signal: null });
  expect(err).toContain("interrupted");
  expect(readFileSync(join(folder, "loss.svg"), "utf8")).toMatch(/<\/svg>\n$/);
  expect(readdirSync(folder).sort()).toEqual(["edit.png", "loss.svg"]);
});
