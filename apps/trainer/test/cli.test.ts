// The command line through its real file, in processes of its own, on the real adapter.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { expectRefusal, start, temporaryFolder } from "./support/iapo.ts";

vi.setConfig({ testTimeout: 180_000 });

const withoutAdapter = { VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" };

test("help shows every command, examples and exit codes", async () => {
  const { code, out } = await start(["--help"]).ended;
  expect(code).toBe(0);
  for (const part of ["doctor", "demo", "--quiet", "Examples:", "Exit codes:", "130"]) expect(out).toContain(part);
});

test.each([
  [["domo"], /unknown command 'domo'[\s\S]*Did you mean demo/],
  [["demo", "--steps", "0"], /whole number of at least 1/],
  [["demo", "--steps", "1e3.5"], /whole number of at least 1/],
  [["doctor", "--jsn"], /unknown option '--jsn'[\s\S]*--json/],
])("%j is refused with exit code 2", async (args, message) => {
  const { code, out, err } = await start(args).ended;
  expect(code).toBe(2);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/^ +at /m);
  expect(out).toBe("");
});

test("doctor --json tells the adapter, limits, memory and findings", async () => {
  const { code, out } = await start(["doctor", "--json"]).ended;
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
  const { code, out } = await start(["doctor", "--json", "--kernels"]).ended;
  expect(code).toBe(0);
  const { kernels } = JSON.parse(out) as { kernels: { kernel: string; milliseconds: number }[] };
  expect(kernels.map(({ kernel }) => kernel)).toEqual(
    expect.arrayContaining(["matmul_tile/64", "attention_stats", "adamw_count"]),
  );
  expect(kernels.length).toBeLessThanOrEqual(60);
  expect(kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeGreaterThan(1);
});

test("without an adapter doctor reports it with exit code 3", async () => {
  const report = await start(["doctor", "--json"], withoutAdapter).ended;
  expect(report.code).toBe(3);
  expect(JSON.parse(report.out)).toMatchObject({ adapter: null, findings: [{ level: "missing" }] });
});

test("a place that cannot be written to is found out before the work", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  const { code, err } = await start(["demo", "--out", join(folder, "file", "demo")]).ended;
  expect(code).toBe(1);
  expect(err).toMatch(/iapo: .*ENOTDIR.*a file is in its place.*\(write_failed\)/);
  expect(err).not.toMatch(/held-out|^ +at /m);
});

test("an interrupt in the middle ends the demo in order, while it is at work nobody else is in its directory", async () => {
  const folder = temporaryFolder();
  const { child, ended } = start(["demo", "--out", folder]);
  let asked: Promise<void> | undefined;
  child.stderr!.on("data", (chunk) => {
    if (asked || !String(chunk).includes("before: 64 of 448")) return;
    asked = expectRefusal(["demo", "--out", folder], 4, new RegExp(`in use by process ${child.pid} .*\\(busy\\)`));
    void asked.finally(() => child.kill("SIGINT"));
  });
  const { code, signal, err, out } = await ended;
  await asked;
  expect({ code, signal, out }).toEqual({ code: 130, signal: null, out: "" });
  expect(err).toContain(`interrupted; the same command with --out ${folder} goes on where it stopped`);
  const left = readdirSync(folder);
  expect(left).toEqual(expect.arrayContaining(["before", "demo.json"]));
  expect(left.filter((name) => /result|report|lock|partial/.test(name))).toEqual([]);
});
