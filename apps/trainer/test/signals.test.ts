// Signals, through the real binary: each command ends in order soon after one, whatever it is at. As a machine may be busy, moments and limits
// are in processor time of the command, not by the clock.
import { createWriteStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodePng } from "@iapo/visual-tools/sharp";
import { beforeAll, expect, test, vi } from "vitest";
import { expectRefusal, sharedFolder, start } from "./support/iapo.ts";

vi.setConfig({ testTimeout: 180_000 });

const TICKS = 100; // a second, on every Linux
/** Two seconds on two processors. */
const LONGEST = 4;

const folder = sharedFolder();
const at = (name: string): string => join(folder, name);

const config = (tasks: string): string => `extends: nano-grpo
model: { directory: nano-student }
data: { files: { format: tasks, path: ${tasks}, images: . }, nanoCharts: }
environment: { prompt: compact }
grpo: { groups: 6, steps: 100, rollout: { samples: 2, maxTokens: 24 }, evaluate: }
`;

beforeAll(async () => {
  const image = { width: 56, height: 56, channels: 3, data: new Uint8Array(56 * 56 * 3).fill(255) } as const;
  writeFileSync(at("white.png"), await encodePng(image));
  const row = (id: number, question: string): string =>
    `${JSON.stringify({ id: `${id}`, image: "white.png", question, answers: ["x"] })}\n`;
  writeFileSync(at("long.jsonl"), Array.from({ length: 6 }, (_, i) => row(i, `${i}, a word `.repeat(800))).join(""));
  const many = createWriteStream(at("many.jsonl"));
  for (let i = 0; i < 200_000; i++) many.write(row(i, "how many?"));
  await new Promise<void>((resolve) => many.end(resolve));
  for (const name of ["long", "many"]) writeFileSync(at(`${name}.yaml`), config(`${name}.jsonl`));
});

/** Processor seconds of a process so far; undefined where it has ended. */
function processorTime(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return undefined;
  }
}

type Case = readonly [signal: "SIGINT" | "SIGTERM" | "SIGHUP", seconds: number, args: readonly string[]];

const quick: readonly Case[] = [
  ["SIGHUP", 0.4, ["plan", at("many.yaml")]], // while it is loaded
  ["SIGINT", 5, ["train", at("long.yaml"), "--out", at("long")]],
  ["SIGTERM", 3, ["train", at("many.yaml"), "--out", at("many")]],
  ["SIGINT", 3, ["train", at("many.yaml"), "--dry-run"]],
  ["SIGINT", 3, ["plan", at("many.yaml")]],
  ["SIGTERM", 3, ["data", "inspect", at("many.jsonl"), "--format", "tasks"]],
];
const long: readonly Case[] = [
  ["SIGTERM", 8, ["train", at("long.yaml"), "--out", at("longer")]],
  ["SIGINT", 4, ["sft", "nano-sft", "--out", at("sft")]],
  ["SIGINT", 4, ["eval", "nano-student", "--tasks", at("long.jsonl"), "--out", at("eval")]],
  ["SIGTERM", 5, ["diagnose", "--out", at("diagnosis")]],
  ["SIGHUP", 5, ["demo", "--out", at("demo")]],
  ["SIGTERM", 3, ["data", "render", "nano", "--count", "100000", "--out", at("charts")]],
  ["SIGINT", 3, ["data", "convert", at("many.jsonl"), "--format", "tasks", "--out", at("converted")]],
  ["SIGINT", 5, ["case-study", "--model", "nano-student", "--out", at("study")]],
];

test.skipIf(!existsSync("/proc/self/stat")).each(process.env.IAPO_FULL === "1" ? [...quick, ...long] : quick)(
  "%s after %d s of work ends %j with code 130 within two seconds",
  async (signal, seconds, args) => {
    const { child, ended } = start(args);
    const { pid } = child;
    if (pid === undefined) throw new Error("it did not start");
    while ((processorTime(pid) ?? seconds) < seconds) await sleep(20);
    const before = processorTime(pid);
    child.kill(signal);
    let after = before;
    const looking = setInterval(() => (after = processorTime(pid) ?? after), 20);
    const { code, signal: by, err } = await ended;
    clearInterval(looking);
    expect({ code, by }, err).toEqual({ code: 130, by: null });
    expect(err).toMatch(/^interrupted/m);
    expect(err).not.toMatch(/^ +at /m);
    expect((after ?? Number.NaN) - (before ?? Number.NaN)).toBeLessThan(LONGEST);
  },
);

test("a signal that comes while modules are read is heard", async () => {
  // It sends itself one before its listeners change hands: SIGINT's do first.
  const source = `let added = 0; process.on("newListener", (name) => name === "SIGINT" && ++added === 2 && process.kill(process.pid, "SIGTERM"));`;
  const preload = `--import=data:text/javascript,${encodeURIComponent(source)}`;
  const args = ["train", "nano-grpo", "--steps", "1", "--out", at("just-loaded")];
  const { code, signal, err } = await start(args, { NODE_OPTIONS: preload }).ended;
  expect({ code, signal }, err).toEqual({ code: 130, signal: null });
  expect(err).toMatch(/^interrupted/m);
});

test.skipIf(process.env.IAPO_FULL !== "1" || !existsSync("/proc/self/stat"))(
  "the first update of long prompts, whose kernels are new, ends with code 130 within two seconds",
  async () => {
    const { child, ended } = start(["train", at("long.yaml"), "--out", at("first-update"), "--json"]);
    const pid = child.pid!;
    let after = Number.NaN;
    const before = new Promise<number>((resolve) => {
      child.stdout!.on("data", async (chunk) => {
        if (!/"phase":"update"/.test(String(chunk))) return;
        await sleep(500);
        resolve(processorTime(pid)!);
        child.kill("SIGINT");
      });
    });
    const looking = setInterval(() => (after = processorTime(pid) ?? after), 20);
    const { code, out } = await ended;
    clearInterval(looking);
    expect([code, JSON.parse(out.trim().split("\n").at(-1)!)]).toMatchObject([130, { event: "end", step: 0 }]);
    expect(after - (await before)).toBeLessThan(LONGEST);
  },
);

test("more groups than any step could hold are an error at once", async () => {
  const begun = process.cpuUsage();
  await expectRefusal(
    ["train", "nano-grpo", "--set", "grpo.groups=100000000", "--out", at("groups")],
    2,
    /grpo.groups: Too big: expected number to be <=\d+/,
  );
  expect(process.cpuUsage(begun).user / 1e6).toBeLessThan(5);
  expect(existsSync(at("groups"))).toBe(false);
});
