// iapo fleet up: a server and workers of this machine, and what is left of them when it is interrupted.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { iapo, start, temporaryFolder } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 180_000 });

const script = join(import.meta.dirname, "../../../../scripts/setup-nats.sh");
const isFull = process.env.IAPO_FULL === "1";
const hasServer = spawnSync(script, { env: { ...process.env, ...(!isFull && { GPU_SETUP: "skip" }) } }).status === 0;

/** Processes that a process has started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("an interrupt ends its server and its workers, and leaves nothing but the server's store", async ({ skip }) => {
  skip(!hasServer && !isFull, "there is no nats-server");
  skip(!existsSync("/proc/self/task") && !isFull, "this system does not tell a process's children");
  const folder = temporaryFolder();
  const [temporary, store] = [join(folder, "temporary"), join(folder, "store")];
  mkdirSync(temporary);
  const { child, ended } = start(["fleet", "up", "--run", "up", "--workers", "2", "--port", "0", "--store", store], {
    TMPDIR: temporary,
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [out, err] = ["", ""];
  child.stdout?.on("data", (text) => (out += text));
  child.stderr?.on("data", (text) => (err += text));
  await expect.poll(() => err.match(/iapo worker \S+ on /g), { timeout: 120_000 }).toHaveLength(2);
  const [, url = ""] =
    /a fleet of 2 workers at (nats:\S+); .* iapo train CONFIG --fleet \S+ --run up$/m.exec(out) ?? [];
  expect(url).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
  const started = childrenOf(child.pid ?? 0);
  expect(started).toHaveLength(3); // the server and two workers
  child.kill("SIGINT");
  const { code, signal, err: told } = await ended;
  expect({ code, signal }, told).toEqual({ code: 0, signal: null });
  await expect.poll(() => started.filter(isAlive)).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
  const after = await iapo(["fleet", "status", "--server", url, "--run", "up"]);
  expect([after.code, after.err]).toEqual([1, expect.stringContaining("cannot be reached as a NATS server")]);
});
