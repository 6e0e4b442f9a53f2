// A run that is stopped by each signal, once, twice, for a while, at moments that a seed gives: it ends by the code of its signal, and goes on to
// the bytes of a run that nobody stopped.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test, vi } from "vitest";
import { fingerprint } from "../support/fingerprint.ts";
import { iapo, sharedFolder, start } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 180_000 });

const full = process.env.IAPO_FULL === "1";
const folder = sharedFolder();
const config = join(folder, "run.yaml");
const whole = join(folder, "whole");

beforeAll(async () => {
  writeFileSync(
    config,
    `extends: nano-grpo
model: { directory: nano-base, initialize: 1 }
grpo: { steps: 3, groups: 2, rollout: { samples: 2, maxTokens: 6 }, checkpoint: { every: 1, keep: 1 }, evaluate: }
`,
  );
  const { code, err } = await iapo(["train", config, "--out", whole]);
  expect(code, err).toBe(0);
});

interface Stop {
  readonly name: string;
  /** Sent at the moment. */
  send(child: ReturnType<typeof start>["child"]): void | Promise<void>;
  readonly ends: { readonly code: number | null; readonly signal: string | null };
}

const once = (signal: NodeJS.Signals): Stop => ({
  name: `${signal} once`,
  send: (child) => void child.kill(signal),
  ends: { code: 130, signal: null },
});
const twice = (first: NodeJS.Signals, second: NodeJS.Signals): Stop => ({
  name: `${first}, then ${second}`,
  async send(child) {
    child.kill(first);
    while (child.exitCode === null && child.signalCode === null) {
      child.kill(second);
      await sleep(1);
    }
  },
  ends: { code: null, signal: second },
});
const paused: Stop = {
  name: "STOP and CONT, four times",
  async send(child) {
    for (let time = 0; time < 4; time++) {
      child.kill("SIGSTOP");
      await sleep(300);
      child.kill("SIGCONT");
      await sleep(100);
    }
  },
  ends: { code: 0, signal: null },
};

const quick = [twice("SIGINT", "SIGINT"), paused];
const long = [once("SIGINT"), once("SIGTERM"), once("SIGHUP"), twice("SIGTERM", "SIGTERM"), twice("SIGHUP", "SIGINT")];

test.each(full ? [...quick, ...long] : quick)("$name, after the first step", async ({ name, send, ends }) => {
  const directory = join(folder, name);
  const { child, ended } = start(["train", config, "--out", directory]);
  const sent = new Promise<void>((resolve) => {
    let isSent = false;
    child.stderr?.on("data", (chunk) => {
      if (isSent || !String(chunk).includes("step 1/3")) return;
      isSent = true;
      resolve(send(child));
    });
  });
  const { code, signal, err } = await ended;
  await sent;
  expect({ code, signal }, err).toEqual(ends);
  expect(err).not.toMatch(/^ +at |^iapo: /m);
  if (code === 130) expect(err).toContain(`interrupted; go on with: iapo train --resume ${directory}`);
  expect((await iapo(["train", config, "--resume", "--out", directory])).code).toBe(0);
  expect(fingerprint(directory)).toEqual(fingerprint(whole));
  expect(readdirSync(directory).filter((file) => /\.(lock|partial)$/.test(file))).toEqual([]);
});
