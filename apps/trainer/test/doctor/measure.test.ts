// iapo doctor --measure by the real binary on this machine's adapter; parts that die, hang or answer nonsense; the file that strangers send.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { type Outcome, runWithDeadline } from "../../src/doctor/measure/child.ts";
import { measureParts } from "../../src/doctor/measure/measure.ts";
import { foundOf, measurementSchema, partNames } from "../../src/doctor/measure/report.ts";
import { isSound, verdictOf } from "../../src/doctor/measure/verdict.ts";
import { expectRefusal, start, temporaryFolder } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 300_000 });

const never = new AbortController().signal;
/** Another program in the place of a part: what runs it is the real thing. */
const program = (text: string, seconds = 60): Promise<Outcome> => runWithDeadline(["-e", text], seconds, never);

test("all parts are measured on this adapter, and the file holds them", async () => {
  const file = join(temporaryFolder(), "gpu.json");
  const { code, out, err } = await start(["doctor", "--measure", "--json", file]).ended;
  const measured = measurementSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  expect(measured.verdict.join("\n"), err).not.toMatch(/failed|timed out|wrong/);
  expect(code).toBe(0);
  expect(Object.keys(measured.parts)).toEqual(partNames);
  for (const sentence of measured.verdict) expect(out).toContain(sentence);
  const { parts } = measured;
  const [maths, peaks, conformance] = [foundOf(parts, "maths"), foundOf(parts, "peaks"), foundOf(parts, "conformance")];
  const [kernels, phases, memory] = [foundOf(parts, "kernels"), foundOf(parts, "phases"), foundOf(parts, "memory")];
  expect(maths?.lanesInOrder).not.toBe(false);
  for (const ulps of Object.values(maths?.ulps ?? {})) expect(ulps).toBeLessThan(200);
  for (const { value } of Object.values(peaks ?? {})) expect(value).toBeGreaterThan(0);
  expect(conformance?.wrong).toEqual([]);
  expect(conformance?.cases).toBeGreaterThan(15);
  const hasTensorCores = conformance?.families.includes("matrix");
  expect(conformance?.withoutTensorCores ?? "").toMatch(hasTensorCores ? /^$/ : /need tensor cores/);
  expect(new Set(kernels?.kernels.map(({ phase }) => phase)).size).toBe(3);
  expect(kernels?.kernels.some(({ kernel, gflops }) => /^matmul/.test(kernel) && gflops > 0)).toBe(true);
  expect(phases?.phases.map(({ name }) => name)).toEqual(expect.arrayContaining(["rollout", "update"]));
  expect(memory?.held).toBe(2 ** 26);
  expect(foundOf(parts, "adapters")?.features.length).toBeGreaterThan(0);
});

test("a part that dies, hangs or answers nonsense is named, and the others go on; the file is written after each", async () => {
  const answers = JSON.stringify({ holds: true, checks: [] });
  const states: (string | undefined)[] = [];
  const measured = await measureParts(
    async (name) => {
      if (name === "adapters") return { state: "done", seconds: 1, output: JSON.stringify(adapters) };
      if (name === "maths") return program("process.kill(process.pid, 'SIGKILL')");
      if (name === "peaks") return program("setInterval(() => {}, 1000)", 1);
      if (name === "parity") return program(`console.log(${JSON.stringify(answers)})`);
      if (name === "conformance") return program("console.log('{')");
      if (name === "kernels") return program("console.log('{}')");
      if (name === "phases") return program("throw new Error('the driver is gone')");
      return program("const on = () => process.stdout.write('x'.repeat(65536), on); on()");
    },
    1,
    async (sofar, name) => void states.push(sofar.parts[name]?.state),
  );
  expect(states).toEqual(["done", "failed", "timed out", "done", "failed", "failed", "failed", "failed"]);
  const { verdict, parts } = measurementSchema.parse(measured);
  expect(verdict.join("\n")).toMatch(
    /maths failed.*SIGKILL[\s\S]*peaks timed out[\s\S]*conformance failed[\s\S]*phases failed.*driver is gone/,
  );
  expect(isSound(parts)).toBe(false);
});

test("without an adapter nothing else is tried", async () => {
  const { code, err } = await start(["doctor", "--measure"], {
    ...{ VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" },
  }).ended;
  expect(code, err).toBe(3);
  expect(err).toMatch(/adapters: failed/);
  expect(err).not.toMatch(/maths/);
});

test("wrong results, no parity and slow kernels are sentences", () => {
  const done = <Value>(found: Value) => ({ state: "done" as const, seconds: 1, found });
  const kernel = { phase: "update", calls: 3, microseconds: 10, gflops: 1, gbytes: 1 };
  const verdict = verdictOf({
    conformance: done({
      families: ["workgroup"],
      cases: 9,
      left: 0,
      largest: { error: 1, case: "exp" },
      wrong: ["exp / edges: off"],
    }),
    parity: done({ holds: false, checks: [{ name: "attention", holds: false, different: 3, compared: 9 }] }),
    kernels: done({
      model: "3B",
      kernels: [
        { ...kernel, kernel: "matmul_panels/nt/128x64", fractionOfLimit: 0.2 },
        { ...kernel, kernel: "matmul_few_rows/8/16x8", fractionOfLimit: 0.61 },
      ],
    }),
  });
  expect(verdict.join("\n")).toMatch(
    /wrong: exp \/ edges[\s\S]*agree to the bit do not \(attention\)[\s\S]*matmul_panels.*20 %/,
  );
  expect(verdict.join("\n")).not.toMatch(/few_rows/);
});

test.each([
  [["doctor", "--minutes", "3"], /give --measure too/],
  [["doctor", "--measure", "--kernels"], /cannot be used with/],
  [["doctor", "--measure", "--minutes", "0"], /above 0/],
  [["doctor", "--part", "moon:3"], /there is no part moon/],
])("%j is refused", async (args, message) => {
  await expectRefusal(args, 2, message);
});

const adapters = {
  ...{ device: "a card", vendor: "v", architecture: "a", driver: "d", software: false, family: "workgroup" },
  ...{ subgroups: { least: 32, most: 32 }, adapters: [], features: [], limits: {}, matrices: [], budget: null },
  ...{ dawn: "0", load: 0 },
};
