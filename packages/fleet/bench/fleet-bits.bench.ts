/**
 * One run, made by no worker, by one, by many, by killed ones, over killed servers and slow links: the same SHA-256 of steps, checkpoints and images;
 * and GRPO, distillation, an adapter, examples, each with two workers and without.
 * Prints `{ name, rows: [{ case, unit, ours, correct, ... }] }`: `ours` is the time of the whole run, `correct` whether the bytes are those of the run
 * alone. STEPS (4) and KILL_EVERY (5000) may be set, and CASE, a regular expression for the names of the cases to make. Over NATS it needs nats-server; for the two hosts, root and `ip netns`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type NatsServer, startNatsServer } from "@iapo/fleet";
import { finished, hashOfRun, iapo, killed, type Running, says, started, stepsOfFleet, sum } from "./runs.ts";

const STEPS = Number(process.env.STEPS ?? 4);
const CASE = new RegExp(process.env.CASE ?? "");
/** Milliseconds at least between kills: more than a unit takes. */
const KILL_EVERY = Number(process.env.KILL_EVERY ?? 5000);
const PORT = 4322;
const folder = mkdtempSync(join(tmpdir(), "iapo-fleet-bits-"));

const small = [
  ...[`steps=${STEPS}`, "groups=3", "rollout.samples=2", "rollout.maxTokens=16", "evaluate="],
  ...["update.split=group", "checkpoint.every=1"],
].map((setting) => `grpo.${setting}`);
const ofExamples = [
  ...[`steps=${STEPS}`, "batchSize=6", "microBatchTokens=100", "evaluate=", "checkpoint.every=1"],
].map((setting) => `supervised.${setting}`);
const set = (settings: readonly string[]): string[] => settings.flatMap((setting) => ["--set", setting]);
const anchored = ["train", "nano-iapo-anchored", ...set(small)];

interface Row {
  readonly case: string;
  readonly unit: "s";
  readonly ours: number | null;
  readonly correct: boolean;
  readonly [more: string]: unknown;
}
const alone = new Map<string, string>();

interface Made {
  readonly seconds: number;
  readonly more?: object;
}

interface Case {
  readonly name: string;
  /** Whose bytes it is held against: the first case of the same. */
  readonly of: string;
  make(directory: string): Promise<Made>;
}

/** Makes a run, and holds its bytes against those of the run alone. */
async function rowOf({ name, of, make }: Case): Promise<Row> {
  const directory = join(folder, name.replaceAll(/\W+/g, "-"));
  const { seconds, more } = await make(directory);
  const sha256 = hashOfRun(directory);
  if (!alone.has(of)) alone.set(of, sha256);
  const steps = stepsOfFleet(directory);
  const total = (key: "units" | "copies" | "redelivered" | "returned"): number => sum(steps.map((step) => step[key]));
  rmSync(directory, { recursive: true });
  return {
    ...{ case: name, unit: "s", ours: Number(seconds.toFixed(1)), correct: sha256 === alone.get(of), sha256 },
    ...{ workers: new Set(steps.flatMap(({ workers }) => Object.keys(workers))).size, units: total("units") },
    ...{ handedOutAgain: total("copies") + total("redelivered"), cameBack: total("returned"), ...more },
  };
}

async function simple(args: readonly string[]): Promise<Made> {
  return { seconds: await finished(iapo(args)) };
}

async function served<T>(use: (url: string, restart: () => Promise<void>) => Promise<T>): Promise<T> {
  const store = mkdtempSync(join(tmpdir(), "iapo-nats-"));
  const start = (): Promise<NatsServer> => startNatsServer({ port: PORT, store });
  let server = await start();
  const restart = async (): Promise<void> => {
    if (server.pid !== undefined) process.kill(server.pid, "SIGKILL");
    await server.ended;
    await sleep(1000);
    server = await start();
  };
  try {
    return await use(server.url, restart);
  } finally {
    await server[Symbol.asyncDispose]();
    rmSync(store, { recursive: true });
  }
}

/** Workers at a server, ended with what they are for. */
async function withWorkers<T>(url: string, roles: readonly (readonly string[])[], use: () => Promise<T>): Promise<T> {
  const workers = roles.map((own) => iapo(["worker", "--server", url, "--run", "bits", ...own]));
  try {
    return await use();
  } finally {
    for (const { child } of workers) child.kill("SIGKILL");
    await Promise.all(workers.map(({ ended }) => ended));
  }
}

const at = (url: string, count: number): string[] => [
  ...["--fleet", url, "--run", "bits", "--min-workers", `${count}`, "--patience", "10"],
];

/** Where it is on PATH, or where Debian puts it. */
function natsServer(): string {
  const { status } = spawnSync("nats-server", ["--version"]);
  return status === 0 ? "nats-server" : "/usr/sbin/nats-server";
}

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

/** Two hosts in namespaces of the network, and a slow link between them, which is cut for 30 s. */
async function twoHosts(directory: string): Promise<Made> {
  const ip = (...args: string[]): void => void execFileSync("ip", args);
  const within = (name: string): string[] => ["ip", "netns", "exec", name];
  const [one, other] = ["iapo-one", "iapo-other"];
  const processes: Running[] = [];
  const store = mkdtempSync(join(tmpdir(), "iapo-nats-"));
  try {
    for (const name of [one, other]) ip("netns", "add", name);
    ip("link", "add", "iapo0", "netns", one, "type", "veth", "peer", "name", "iapo1", "netns", other);
    for (const [name, device, address] of [
      [one, "iapo0", "192.0.2.1/24"],
      [other, "iapo1", "192.0.2.2/24"],
    ] as const) {
      ip("-n", name, "addr", "add", address, "dev", device);
      ip("-n", name, "link", "set", device, "up");
      ip("-n", name, "link", "set", "lo", "up");
    }
    const link = join(import.meta.dirname, "slow-link.ts");
    const proxy = started([...within(one), "node", "--no-warnings", link, "192.0.2.1", "4222", "127.0.0.1", "4222"]);
    const server = started([...within(one), natsServer(), "-a", "127.0.0.1", "-p", "4222", "-js", "-sd", store]);
    processes.push(proxy, server);
    await says(proxy, /slow link is open/);
    await says(server, /Server is ready/);
    for (let i = 0; i < 2; i++)
      processes.push(iapo(["worker", "--server", "nats://192.0.2.1:4222", "--run", "bits"], within(other)));
    const learner = iapo([...anchored, "--out", directory, ...at("nats://127.0.0.1:4222", 2)], within(one));
    processes.push(learner);
    const cutting = (async () => {
      await says(learner, /takes part[\s\S]*takes part/);
      await sleep(3000);
      ip("-n", other, "link", "set", "iapo1", "down");
      await sleep(30_000);
      ip("-n", other, "link", "set", "iapo1", "up");
    })();
    const seconds = await finished(learner);
    await cutting;
    const how = "20 ms, 1 % of pieces 200 ms late, by a proxy; the interface of the workers' host down for 30 s";
    return { seconds, more: { link: how, workersLost: (learner.said().match(/nobody is left/g) ?? []).length } };
  } finally {
    for (const { child } of processes) child.kill("SIGKILL");
    await Promise.allSettled(processes.map(({ ended }) => ended));
    for (const name of [one, other]) spawnSync("ip", ["netns", "del", name]); // it may not have been made
    rmSync(store, { recursive: true, force: true });
  }
}

const cases: readonly Case[] = [
  { name: "no fleet", of: "anchored", make: (out) => simple([...anchored, "--out", out]) },
  ...[1, 2, 3].map((count) => ({
    name: `${count} ${count === 1 ? "worker as a process" : "workers as processes"}`,
    of: "anchored",
    make: (out: string) => simple([...anchored, "--out", out, "--fleet", `${count}`, "--min-workers", `${count}`]),
  })),
  {
    name: "3 workers as processes, killed at random moments",
    of: "anchored",
    async make(out) {
      const run = iapo([...anchored, "--out", out, "--fleet", "3", "--min-workers", "3"]);
      await says(run, /admitted/);
      const kills = await killing(run, KILL_EVERY);
      return { seconds: await finished(run), more: { kills } };
    },
  },
  {
    name: "2 workers over NATS",
    of: "anchored",
    make: (out) =>
      served((url) => withWorkers(url, [[], []], () => simple([...anchored, "--out", out, ...at(url, 2)]))),
  },
  {
    name: "2 workers over NATS, the server killed twice",
    of: "anchored",
    make: (out) =>
      served((url, restart) =>
        withWorkers(url, [[], []], async () => {
          const run = iapo([...anchored, "--out", out, ...at(url, 2)]);
          await says(run, /takes part[\s\S]*takes part/);
          for (let i = 0; i < 2; i++) {
            await sleep(2000);
            await restart();
          }
          return { seconds: await finished(run), more: { serverKills: 2 } };
        }),
      ),
  },
  {
    name: "2 workers over NATS, the learner killed and resumed",
    of: "anchored",
    make: (out) =>
      served((url) =>
        withWorkers(url, [[], []], async () => {
          const first = iapo([...anchored, "--out", out, ...at(url, 2)]);
          await says(first, /takes part[\s\S]*takes part/);
          while (stepsOfFleet(out).length < 1) await sleep(50);
          await sleep(500 * Math.random());
          first.child.kill("SIGKILL");
          const { seconds } = await first.ended;
          const again = await finished(iapo(["train", out, "--resume", ...at(url, 2)]));
          return { seconds: seconds + again, more: { learnerKills: 1 } };
        }),
      ),
  },
  {
    name: "the teacher on a worker of its own, over NATS",
    of: "anchored",
    make: (out) =>
      served((url) =>
        withWorkers(
          url,
          [
            ["--roles", "explain-teacher"],
            ["--roles", "rollout,explain-student,gradient"],
          ],
          () => simple([...anchored, "--out", out, ...at(url, 2)]),
        ),
      ),
  },
  { name: "two hosts: 20 ms, 1 % loss, a cut of 30 s", of: "anchored", make: twoHosts },
  ...(
    [
      ["GRPO", ["train", "nano-grpo", ...set(small)]],
      ["distillation by sequence", ["train", "nano-opd", ...set(small)]],
      ["distillation by token", ["train", "nano-opd-token", ...set(small)]],
      ["distillation by loss", ["train", "nano-gkd", ...set(small)]],
      ["an adapter", ["train", "nano-grpo", ...set([...small, "model.lora.rank=4", "model.lora.alpha=8"])]],
      ["examples", ["sft", "nano-sft", ...set(ofExamples)]],
    ] as const
  ).flatMap(([of, args]) => [
    { name: `${of}: no fleet`, of, make: (out: string) => simple([...args, "--out", out]) },
    {
      name: `${of}: 2 workers as processes`,
      of,
      make: (out: string) => simple([...args, "--out", out, "--fleet", "2", "--min-workers", "2"]),
    },
  ]),
];

try {
  const chosen = cases.filter(({ name }) => CASE.test(name));
  const needed = cases.filter(
    (one) => chosen.includes(one) || (one.name.endsWith("no fleet") && chosen.some(({ of }) => of === one.of)),
  );
  const rows: Row[] = [];
  for (const one of needed) {
    rows.push(await rowOf(one));
    console.error(JSON.stringify(rows.at(-1)));
  }
  console.log(JSON.stringify({ name: "fleet-bits", rows }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
