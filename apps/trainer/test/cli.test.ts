// The command line through its real file, in processes of its own, on the real adapter.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { expectRefusal, iapo, main, start, temporaryFolder } from "./support/iapo.ts";

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
  const { code, out, err } = await start(["doctor", "--json", "--kernels"]).ended;
  expect(code, err).toBe(0);
  const { kernels } = JSON.parse(out) as { kernels: { kernel: string; milliseconds: number }[] };
  expect(kernels.map(({ kernel }) => kernel)).toEqual(
    expect.arrayContaining(["matmul_tile/64/strides", "attention_stats", "adamw_count"]),
  );
  expect(kernels.length).toBeLessThanOrEqual(60);
  expect(kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeGreaterThan(1);
});

test("without an adapter doctor reports it with exit code 3", async () => {
  const report = await start(["doctor", "--json"], withoutAdapter).ended;
  expect(report.code).toBe(3);
  expect(JSON.parse(report.out)).toMatchObject({
    ...{ adapter: null, adapters: [] },
    findings: [
      { level: "missing", text: expect.stringMatching(/no WebGPU adapter was found\. .*(apt|dnf|pacman|Vulkan)/) },
    ],
  });
  expect(report.out).not.toMatch(/scripts\/|\.\/iapo/);
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

test("--version tells the packages and Node", async () => {
  const { code, out } = await iapo(["--version"]);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^iapo \d+\.\d+\.\d+ \(@iapo\/trainer\)\n[\s\S]*@iapo\/tensor-core \d[\s\S]*\nNode \d+\.\d+\.\d+, /,
  );
});

test("--adapter chooses by a part of the name, and an unknown one is answered with the names", async () => {
  const chosen = await start(["--adapter", "llvmpipe", "doctor", "--json"]).ended;
  const { adapter, adapters } = JSON.parse(chosen.out);
  expect(adapters).toContainEqual(expect.stringContaining("llvmpipe"));
  expect(adapter.device).toMatch(/llvmpipe/);
  const none = await start(["demo", "--adapter", "no such card"]).ended;
  expect(none.code).toBe(3);
  expect(none.err).toMatch(/no adapter's name contains "no such card"; there are: .*llvmpipe/);
});

test("--memory is what tensors may take", async () => {
  const { out } = await start(["doctor", "--json", "--memory", "0.5"]).ended;
  expect(JSON.parse(out).memory.budget).toBe(2 ** 29);
});

test("--family matrix is refused where the adapter has no tensor cores", async () => {
  const { code, err } = await start(["doctor", "--family", "matrix", "--adapter", "llvmpipe"]).ended;
  expect(code).toBe(1);
  expect(err).toMatch(
    /llvmpipe.*: the device is without .*chromium-experimental-subgroup-matrix\. .*\(no_tensor_cores\)/,
  );
  await expectRefusal(["recipes", "--family", "wide"], 2, /Allowed choices are software, workgroup, matrix/);
});

test("a good path is quiet in a terminal and in a pipe: not a line of the driver's own", () => {
  const command = `${process.execPath} --conditions=@iapo/source ${main} doctor`;
  const { stdout, stderr } = spawnSync("bash", ["-c", `${command} 2>&1 >/dev/null | cat`], { encoding: "utf8" });
  expect(stdout + stderr).toBe("");
  const terminal = spawnSync("script", ["-qec", command, "/dev/null"], { encoding: "utf8" });
  if (terminal.error) return; // no util-linux here
  expect(terminal.stdout).toMatch(/adapter/);
  expect(terminal.stdout).not.toMatch(/^Warning/m);
});

test("and into a file, which other programs go on to write", () => {
  const folder = temporaryFolder();
  const command = `${process.execPath} --conditions=@iapo/source ${main} doctor`;
  for (const redirect of ["2>", "2>>"]) {
    const log = join(folder, `log ${redirect}`);
    const script = `{ echo before >&2; ${command} > /dev/null; echo behind >&2; } ${redirect} "$0"`;
    spawnSync("bash", ["-c", script, log]);
    expect(readFileSync(log, "utf8").replace(/^ +$/gm, "").replace(/\n+/g, "\n")).toBe("before\nbehind\n");
  }
});

test("what a driver says that is not known is still said", () => {
  const command = `${process.execPath} --conditions=@iapo/source ${main} doctor`;
  const env = { ...process.env, VK_LOADER_DEBUG: "error", VK_DRIVER_FILES: "/nowhere.json" };
  const { stdout } = spawnSync("bash", ["-c", `${command} 2>&1 >/dev/null | cat`], { encoding: "utf8", env });
  expect(stdout).toMatch(/nowhere\.json/);
});

test.each(["18.20.8", "20.20.2", "22.17.1", "23.11.0", "24.10.0"])(
  "Node %s is told in one sentence what is needed",
  (version) => {
    const pretend = `data:text/javascript,Object.defineProperty(process.versions,"node",{value:"${version}"})`;
    const { status, stderr, stdout } = spawnSync(process.execPath, ["--import", pretend, main, "doctor"], {
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.replace(/^.*ExperimentalWarning.*\n.*\n/gm, "")).toMatch(
      new RegExp(`^iapo: this is Node ${version}; iapo needs .*\n$`),
    );
  },
);
