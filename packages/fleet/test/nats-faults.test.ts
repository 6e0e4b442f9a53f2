// Real workers and a real server that are killed by SIGKILL, a server without room, one on a port that is taken: units are done once for the
// learner, or it is told why not.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Crew, fleetStatus, natsTransport, removeFleet, startNatsServer } from "@iapo/fleet";
import { expect, onTestFinished, test, vi } from "vitest";
import { natsServer, type RunningServer, startServer } from "./support/nats-server.ts";

vi.setConfig({ testTimeout: 240_000 });
const isThere = natsServer !== undefined;

function worker(server: string, run: string, id: string, milliseconds: number): ChildProcess {
  const program = join(import.meta.dirname, "support/doubler.ts");
  const args = ["--conditions=@iapo/source", "--no-warnings", program, server, run, id, `${milliseconds}`];
  const child = spawn("node", args, { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function served(args: readonly string[] = []): Promise<RunningServer> {
  const server = await startServer(args);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function learner(server: RunningServer, run: string, news: string[] = []) {
  const transport = await natsTransport({ server: server.url, run, patience: 3000 });
  const crew = await Crew.open({
    transport,
    run: null,
    refuse: () => undefined,
    patience: 3000,
    onNews: (text) => news.push(text),
  });
  onTestFinished(async () => {
    await crew.close();
    await transport.close();
  });
  const ask = async (value: number): Promise<number | undefined> => {
    const header = await crew.blob(Uint8Array.of(value));
    return crew.submit({ role: "double", header, parse: ([doubled]) => doubled ?? Number.NaN });
  };
  return { crew, transport, ask };
}

test.skipIf(!isThere)(
  "workers that are killed every 600 ms, and a server that is killed twice: every unit comes back right",
  async () => {
    const server = await served();
    const news: string[] = [];
    const { crew, ask } = await learner(server, "killed", news);
    let number = 0;
    const next = (): ChildProcess => worker(server.url, "killed", `w${number++}`, 80);
    const workers = [next(), next(), next()];
    await crew.gather(2, AbortSignal.timeout(30_000));
    expect(await ask(1)).toBe(2); // from here on whoever did it may die
    let isOver = false;
    const killing = (async () => {
      for (let i = 0; !isOver; i++) {
        await sleep(600);
        workers[i % 3]?.kill("SIGKILL");
        workers[i % 3] = next();
      }
    })();
    const restarting = (async () => {
      for (let i = 0; i < 2; i++) {
        await sleep(1500);
        await server.kill();
        await sleep(700);
        await server.start();
      }
    })();
    const asked = [];
    for (let i = 0; i < 60; i++) {
      asked.push(ask(i % 128).then((given) => given ?? 2 * (i % 128))); // a caller does what nobody is left for
      await sleep(60);
    }
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 60 }, (_, i) => 2 * (i % 128)));
    await restarting;
    isOver = true;
    await killing;
    expect(news.some((text) => /takes part/.test(text))).toBe(true);
    expect((await crew.endStep()).units).toBeGreaterThan(0); // how many more, the machine decides
  },
);

test.skipIf(!isThere)("status tells of workers, and a run that is removed ends them", async () => {
  const server = await served();
  const { crew, ask } = await learner(server, "shown");
  const one = worker(server.url, "shown", "one", 1);
  const ended = new Promise((resolve) => one.once("exit", resolve));
  await crew.gather(1, AbortSignal.timeout(30_000));
  expect(await ask(5)).toBe(10);
  const looking = await natsTransport({ server: server.url, run: "shown", mustExist: true });
  const { announced, workers } = await fleetStatus(looking, AbortSignal.timeout(30_000));
  await looking.close();
  expect([announced, workers.map(({ id, done, isAlive }) => [id, done, isAlive])]).toEqual([true, [["one", 1, true]]]);
  await removeFleet({ server: server.url, run: "shown" });
  expect(await ended).toBe(0);
  await expect(removeFleet({ server: server.url, run: "shown" })).rejects.toMatchObject({ code: "missing" });
});

test.skipIf(!isThere)("a server without room is named with what it says", async () => {
  const config = join(import.meta.dirname, "../node_modules/.nats-small.conf");
  writeFileSync(config, "jetstream { max_file_store: 2M }\n");
  const server = await served(["-c", config]);
  const door = await natsTransport({ server: server.url, run: "full" });
  onTestFinished(() => door.close());
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) await door.putBlob(Uint8Array.from({ length: 1_000_000 }, (_, k) => (k * i) % 251));
  };
  await expect(fill()).rejects.toMatchObject({
    code: "lost",
    message: expect.stringMatching(/cannot keep blob .*(resource|storage|limits|maximum)/),
  });
});

test.skipIf(!isThere)("an address that is none, and a name that no run can have, are said", async () => {
  const server = await served();
  await expect(natsTransport({ server: "localhost", run: "x" })).rejects.toMatchObject({ code: "argument" });
  await expect(natsTransport({ server: server.url, run: "no name" })).rejects.toMatchObject({ code: "argument" });
});

test.skipIf(!isThere)("a free port is chosen, and one that is taken is said", async () => {
  const server = await served();
  const port = Number(new URL(server.url).port);
  expect(port).toBeGreaterThan(0);
  const store = mkdtempSync(join(tmpdir(), "iapo-nats-"));
  onTestFinished(() => rmSync(store, { recursive: true, force: true }));
  await expect(startNatsServer({ program: natsServer, port, store })).rejects.toMatchObject({
    code: "argument",
    message: `port ${port} is taken; choose another`,
  });
});
