// What only a process of its own shows: how it ends, how it waits, and another Vulkan driver.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** Runs a script of test/support; `onLine` hears of each line it prints. */
function run(
  script: string,
  {
    program = "",
    env = {},
    onLine,
  }: { program?: string; env?: NodeJS.ProcessEnv; onLine?: (line: string, interrupt: () => void) => void },
): Promise<Ended> {
  const file = new URL(`support/${script}.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, ["--conditions=@iapo/source", file, program], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    timeout: 300_000,
  });
  const lines: string[] = [];
  let [partial, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    const pieces = (partial + chunk).split("\n");
    partial = pieces.pop()!;
    for (const line of pieces) {
      lines.push(line);
      onLine?.(line, () => child.kill("SIGINT"));
    }
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const own = errors.split("\n").filter((line) => !line.startsWith("Warning: maxDynamic")); // Dawn says this of each device
      resolve({ code, signal, lines, errors: own.join("\n").trim() });
    });
  });
}

const interruptAtStep3 = (line: string, interrupt: () => void): void => {
  if (line.startsWith("step 3:")) interrupt();
};

test("a process with an open device and work under way ends by itself", async () => {
  const ended = await run("process", { program: "pending" });
  expect(ended).toEqual({ code: 0, signal: null, lines: ["end of program"], errors: "" });
});

test("SIGINT in the middle of training ends the process at once, without a word", async () => {
  const { code, signal, errors } = await run("process", { program: "train", onLine: interruptAtStep3 });
  expect({ code, signal, errors }).toEqual({ code: null, signal: "SIGINT", errors: "" });
});

test("training that hears SIGINT ends after its step and leaves no bytes", async () => {
  const { code, signal, lines, errors } = await run("process", {
    program: "trainUntilInterrupted",
    onLine: interruptAtStep3,
  });
  expect({ code, signal, errors }).toEqual({ code: 0, signal: null, errors: "" });
  expect(lines.at(-1)).toBe("0 bytes left");
});

test("a device destroyed in the middle of training is a typed error, and the process ends", async () => {
  const { code, lines, errors } = await run("process", { program: "deviceDestroyed" });
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
  expect(lines).toHaveLength(4);
  expect(lines.at(-1)).toBe("device_lost");
});

test("waiting for the GPU does not burn a core", async () => {
  const { lines } = await run("process", { program: "waiting" });
  const { wall, busy } = JSON.parse(lines[0]!) as { wall: number; busy: number };
  expect(busy / wall).toBeLessThan(0.5);
});

/** Where Chromium's packages put it; `SWIFTSHADER_ICD` names another place. */
const swiftShader = process.env.SWIFTSHADER_ICD ?? "/usr/lib/chromium/vk_swiftshader_icd.json";

// Only in the full check, which installs SwiftShader: a second implementation of Vulkan, small sizes.
if (process.env.IAPO_FULL === "1") {
  test.each(["software", "workgroup"])(
    "twelve ops hold on SwiftShader, %s family",
    { timeout: 300_000 },
    async (family) => {
      expect(existsSync(swiftShader), `${swiftShader} is missing: scripts/setup-swiftshader.sh installs it`).toBe(true);
      const env = { VK_DRIVER_FILES: swiftShader, VK_ICD_FILENAMES: swiftShader };
      const { code, lines, errors } = await run("second-adapter", { program: family, env });
      expect({ code, errors }).toEqual({ code: 0, errors: "" });
      const report = JSON.parse(lines[0]!) as Report;
      expect(report.description).toContain("SwiftShader");
      expect(report.family).toBe(family);
      expect(report.failures).toEqual([]);
      expect(Object.keys(report.passed)).toHaveLength(12);
      expect(Math.min(...Object.values(report.passed))).toBeGreaterThan(2);
    },
  );
}

interface Report {
  readonly description: string;
  readonly family: string;
  readonly passed: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}
