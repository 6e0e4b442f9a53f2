// The ways in which one run is made: with how many workers, over what, and what is done to them meanwhile.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type NatsServer, startNatsServer } from "@iapo/fleet";
import { finished, iapo, killed, type Running, says, stepsOfFleet, until } from "../runs.ts";
import { twoHosts } from "./two-hosts.ts";

export interface Made {
  readonly seconds: number;
  readonly more?: object;
}

export interface Case {
  readonly name: string;
  /** Whose bytes it is held against: the first case of the same. */
  readonly of: string;
  /** Of the command line, without a fleet. */
  readonly run: readonly string[];
  /** @param args those of the run, and where it writes */
  make(args: readonly string[]): Promise<Made>;
}

export interface Sizes {
  readonly steps: number;
  /** Of the run that goes on when a link is there again. */
  readonly longSteps: number;
  /** Milliseconds at least between kills: more than a unit takes. */
  readonly killEvery: number;
}

async function finishedRun(args: readonly string[]): Promise<Made> {
  return { seconds: await finished(iapo(args)) };
}

const byProcesses = (count: number): string[] => ["--fleet", `${count}`, "--min-workers", `${count}`];

async function served(use: (url: string, restart: () => Promise<void>) => Promise<Made>): Promise<Made> {
  const store = mkdtempSync(join(tmpdir(), "iapo-nats-"));
  let server: NatsServer = await startNatsServer({ port: 0, store });
  const { url, port } = server;
  const restart = async (): Promise<void> => {
    if (server.pid !== undefined) process.kill(server.pid, "SIGKILL");
    await server.ended;
    await sleep(1000);
    server = await startNatsServer({ port, store });
  };
  try {
    return await use(url, restart);
  } finally {
    await server[Symbol.asyncDispose]();
    rmSync(store, { recursive: true });
  }
}

/** Workers at a server, ended with what they are for. */
async function withWorkers(
  url: string,
  options: readonly (readonly string[])[],
  use: () => Promise<Made>,
): Promise<Made> {
  const workers = options.map((own) => iapo(["worker", "--server", url, "--run", "bits", ...own]));
  try {
    return await use();
  } finally {
    for (const { child } of workers) child.kill("SIGKILL");
    await Promise.all(workers.map(({ ended }) => ended));
  }
}

const at = (url: string): string[] => ["--fleet", url, "--run", "bits", "--min-workers", "2", "--patience", "10"];

/** Kills a worker at random moments, of a unit's time at least, until the run ends. */
async function killing(run: Running, unit: number): Promise<number> {
  let kills = 0;
  let isOver = false;
  void run.ended.then(() => (isOver = true));
  while (!isOver) {
    await Promise.race([sleep(unit * (1 + 2 * Math.random())), run.ended]);
    const admitted = [...run.said().matchAll(/process (\d+): admitted/g)].map(([, pid]) => Number(pid));
    const ended = new Set([...run.said().matchAll(/process (\d+) ended/g)].map(([, pid]) => Number(pid)));
    const living = admitted.filter((pid) => !ended.has(pid));
    const chosen = living[Math.floor(Math.random() * living.length)];
    if (!isOver && chosen !== undefined && killed(chosen)) kills++;
  }
  return kills;
}

const lines = (args: readonly string[]): number => stepsOfFleet(args[args.indexOf("--out") + 1] ?? "").length;

async function serverKilledTwice(args: readonly string[]): Promise<Made> {
  return served((url, restart) =>
    withWorkers(url, [[], []], async () => {
      const run = iapo([...args, ...at(url)]);
      await says(run, /takes part[\s\S]*takes part/);
      for (let serverKills = 0; serverKills < 2; serverKills++) {
        await until(run, () => lines(args) >= serverKills, `its server was killed ${serverKills + 1} times`);
        await sleep(500 + 500 * Math.random());
        await restart();
      }
      return { seconds: await finished(run), more: { serverKills: 2 } };
    }),
  );
}

async function learnerKilled(args: readonly string[]): Promise<Made> {
  return served((url) =>
    withWorkers(url, [[], []], async () => {
      const first = iapo([...args, ...at(url)]);
      await until(first, () => lines(args) > 0, "it was killed");
      await sleep(500 * Math.random());
      first.child.kill("SIGKILL");
      const { seconds } = await first.ended;
      const out = args[args.indexOf("--out") + 1] ?? "";
      const again = await finished(iapo(["train", out, "--resume", ...at(url)]));
      return { seconds: seconds + again, more: { learnerKills: 1 } };
    }),
  );
}

export function casesOf({ steps, longSteps, killEvery }: Sizes): readonly Case[] {
  const set = (section: string, settings: readonly string[]): string[] =>
    settings.flatMap((setting) => ["--set", `${section}.${setting}`]);
  const small = (count: number): string[] =>
    set("grpo", [
      ...[`steps=${count}`, "groups=3", "rollout.samples=2", "rollout.maxTokens=16", "evaluate="],
      ...["update.split=group", "checkpoint.every=1"],
    ]);
  const ofExamples = ["batchSize=6", "microBatchTokens=100", "evaluate=", "checkpoint.every=1"];
  const anchored = { of: "anchored", run: ["train", "nano-iapo-anchored", ...small(steps)] };
  const longer = { of: "longer", run: ["train", "nano-iapo-anchored", ...small(longSteps)] };
  const roles = [
    ["--roles", "explain-teacher"],
    ["--roles", "rollout,explain-student,gradient"],
  ];
  const overNats = (options: readonly (readonly string[])[]) => (args: readonly string[]) =>
    served((url) => withWorkers(url, options, () => finishedRun([...args, ...at(url)])));
  const methods = [
    ["GRPO", ["train", "nano-grpo", ...small(steps)]],
    ["distillation by sequence", ["train", "nano-opd", ...small(steps)]],
    ["distillation by token", ["train", "nano-opd-token", ...small(steps)]],
    ["distillation by loss", ["train", "nano-gkd", ...small(steps)]],
    ["an adapter", ["train", "nano-grpo", ...small(steps), ...set("model", ["lora.rank=4", "lora.alpha=8"])]],
    ["examples", ["sft", "nano-sft", ...set("supervised", [`steps=${steps}`, ...ofExamples])]],
  ] as const;
  return [
    { ...anchored, name: "no fleet", make: finishedRun },
    ...[1, 2, 3].map((count) => ({
      ...anchored,
      name: `${count} ${count === 1 ? "worker as a process" : "workers as processes"}`,
      make: (args: readonly string[]) => finishedRun([...args, ...byProcesses(count)]),
    })),
    {
      ...anchored,
      name: `3 workers as processes, killed every ${killEvery / 1000} to ${(3 * killEvery) / 1000} s`,
      async make(args) {
        const run = iapo([...args, ...byProcesses(3)]);
        await says(run, /admitted/);
        const kills = await killing(run, killEvery);
        const seconds = await finished(run);
        if (kills < 2) throw new Error(`it has ended after ${kills} kills; set KILL_EVERY lower, or STEPS higher`);
        return { seconds, more: { kills } };
      },
    },
    { ...anchored, name: "2 workers over NATS", make: overNats([[], []]) },
    { ...anchored, name: "2 workers over NATS, the server killed twice", make: serverKilledTwice },
    { ...anchored, name: "2 workers over NATS, the learner killed and resumed", make: learnerKilled },
    { ...anchored, name: "the teacher on a worker of its own, over NATS", make: overNats(roles) },
    { ...longer, name: `no fleet, ${longSteps} steps`, make: finishedRun },
    { ...longer, name: `two hosts: 20 ms, 1 % loss, a cut of 30 s within a unit, ${longSteps} steps`, make: twoHosts },
    ...methods.flatMap(([of, run]) => [
      { of, run, name: `${of}: no fleet`, make: finishedRun },
      {
        ...{ of, run, name: `${of}: 2 workers as processes` },
        make: (args: readonly string[]) => finishedRun([...args, ...byProcesses(2)]),
      },
    ]),
  ];
}
