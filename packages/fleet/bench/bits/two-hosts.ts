// Two hosts in namespaces of the network, and a slow link between them, which is cut for half a minute.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { finished, iapo, type Running, says, started, stepsOfFleet, sum, until } from "../runs.ts";

const CUT = 30_000;
const [one, other] = ["iapo-one", "iapo-other"];
const within = (name: string): string[] => ["ip", "netns", "exec", name];
const ip = (...args: string[]): void => void execFileSync("ip", args);

function layLink(): void {
  for (const name of [one, other]) ip("netns", "add", name);
  ip("link", "add", "iapo0", "netns", one, "type", "veth", "peer", "name", "iapo1", "netns", other);
  const ends = [
    [one, "iapo0", "192.0.2.1/24"],
    [other, "iapo1", "192.0.2.2/24"],
  ] as const;
  for (const [name, device, address] of ends) {
    ip("-n", name, "addr", "add", address, "dev", device);
    ip("-n", name, "link", "set", device, "up");
    ip("-n", name, "link", "set", "lo", "up");
  }
}

/** Where it is on PATH, or where Debian puts it. */
function natsServer(): string {
  const { status } = spawnSync("nats-server", ["--version"]);
  return status === 0 ? "nats-server" : "/usr/sbin/nats-server";
}

/** Whether a worker is at a unit of a step behind the first. */
function isAtWork(directory: string): boolean {
  const path = join(directory, "fleet-now.json");
  if (!existsSync(path)) return false;
  const { workers } = JSON.parse(readFileSync(path, "utf8")) as { workers: readonly { at: string | null }[] };
  return workers.some(({ at }) => at !== null && !/ of step 0\b/.test(at));
}

/**
 * A run whose two workers sit behind the link. It is cut when they have done a step's units and are at the next; patience is 10 s, so that the learner goes
 * on alone meanwhile.
 * @throws where the run is over before workers have done units again: it needs more steps
 */
export async function twoHosts(args: readonly string[]): Promise<{ seconds: number; more: object }> {
  const directory = args[args.indexOf("--out") + 1] ?? "";
  const processes: Running[] = [];
  const store = mkdtempSync(join(tmpdir(), "iapo-nats-"));
  const start = (run: Running): Running => {
    processes.push(run);
    return run;
  };
  try {
    layLink();
    const link = join(import.meta.dirname, "../slow-link.ts");
    const proxy = start(
      started([...within(one), "node", "--no-warnings", link, "192.0.2.1", "4222", "127.0.0.1", "4222"]),
    );
    const server = start(started([...within(one), natsServer(), "-a", "127.0.0.1", "-p", "4222", "-js", "-sd", store]));
    await says(proxy, /slow link is open/);
    await says(server, /Server is ready/);
    for (let i = 0; i < 2; i++)
      start(iapo(["worker", "--server", "nats://192.0.2.1:4222", "--run", "bits"], within(other)));
    const there = ["--fleet", "nats://127.0.0.1:4222", "--run", "bits", "--min-workers", "2", "--patience", "10"];
    const learner = start(iapo([...args, ...there], within(one)));
    const units = () => stepsOfFleet(directory).map((step) => step.units);
    await until(learner, () => sum(units()) > 0 && isAtWork(directory), "workers are at their second step");
    const before = units();
    ip("-n", other, "link", "set", "iapo1", "down");
    await Promise.race([sleep(CUT), learner.ended]);
    const during = units();
    ip("-n", other, "link", "set", "iapo1", "up");
    const seconds = await finished(learner);
    const after = units().slice(during.length + 1); // of steps that began when the link was there again
    if (sum(after) === 0)
      throw new Error(
        `no worker has done a unit after the cut; it needs more steps: units of each ${units().join(" ")}`,
      );
    return {
      seconds,
      more: {
        link: "20 ms, 1 % of pieces 200 ms late, by a proxy; the interface of the workers' host down for 30 s",
        unitsBeforeCut: sum(before),
        stepsThatMetIt: during.length + 1 - before.length,
        unitsOfThem: sum(units().slice(before.length, during.length + 1)),
        unitsAfterCut: sum(after),
      },
    };
  } finally {
    for (const { child } of processes) child.kill("SIGKILL");
    await Promise.allSettled(processes.map(({ ended }) => ended));
    for (const name of [one, other]) spawnSync("ip", ["netns", "del", name]); // it may not have been made
    rmSync(store, { recursive: true, force: true });
  }
}
