// A run over a real NATS server with workers that do different things: the server is killed, the learner is, the server is full; the bytes are those of
// the run alone. The server that is killed speaks TLS by an authority of its own and asks for a password, and each worker names its card.
import { type ChildProcess, execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type NatsServer, startNatsServer } from "@iapo/fleet";
import { adapterNames } from "@iapo/tensor-core";
import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { fingerprint } from "../support/fingerprint.ts";
import { type Ended, type Running, sharedFolder, start } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

describe.runIf(process.env.IAPO_FULL === "1")("over NATS", () => {
  const folder = sharedFolder();
  const small = ["steps=2", "groups=2", "rollout.samples=2", "rollout.maxTokens=12", "evaluate=", "update.split=group"];
  const settings = [...small, "checkpoint.every=1"].flatMap((setting) => ["--set", `grpo.${setting}`]);
  const args = ["train", "nano-iapo-anchored", ...settings];
  let program: string;
  let alone: Record<string, string>;

  beforeAll(async () => {
    program = execFileSync(join(import.meta.dirname, "../../../../scripts/setup-nats.sh"), { encoding: "utf8" }).trim();
    const { code, err } = await start([...args, "--out", join(folder, "alone")]).ended;
    expect(code, err).toBe(0);
    alone = fingerprint(join(folder, "alone"));
  });

  const serve = (name: string, more: readonly string[], port = 0): Promise<NatsServer> =>
    startNatsServer({ program, port, store: join(folder, name), args: more });

  /** What a server of TLS and a password is started with, by a certificate that is its own authority. */
  const secret = (): { readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv } => {
    const [key, certificate] = [join(folder, "server.key"), join(folder, "server.pem")];
    const own = [
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost",
      "-keyout",
      key,
      "-out",
      certificate,
    ];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    execFileSync("openssl", ["req", "-x509", ...curve, "-days", "2", ...own], { stdio: "pipe" });
    return {
      args: ["--tls", "--tlscert", certificate, "--tlskey", key, "--user", "anna", "--pass", "se:cret"],
      env: { NODE_EXTRA_CA_CERTS: certificate },
    };
  };

  const kill = async ({ pid, ended }: NatsServer): Promise<void> => {
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await ended;
  };

  function worker(url: string, run: string, more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Running {
    const running = start(["worker", "--server", url, "--run", run, ...more], env);
    ending(running.child);
    return running;
  }

  test("a worker for the teacher alone, a learner that is killed, a server that is killed", async () => {
    const { args: asking, env } = secret();
    let server = await serve("killed", asking);
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { port } = server;
    const url = `tls://anna:se%3Acret@localhost:${port}`;
    const [card = ""] = (await adapterNames()).map((name) => name.replace(/ \([^()]*\)$/, "")); // without its backend
    const workers = ["explain-teacher", "rollout,explain-student,gradient"].map((roles) =>
      worker(url, "killed", ["--adapter", card, "--roles", roles], env),
    );
    const run = join(folder, "shared");
    const there = ["--fleet", url, "--run", "killed", "--min-workers", "2"];
    const first = start([...args, ...there, "--adapter", card, "--out", run], env);
    await until(first, () => existsSync(join(run, "fleet.jsonl")));
    first.child.kill("SIGKILL");
    await first.ended;
    const second = start(["train", "--resume", run, ...there, "--adapter", card], env);
    let said = "";
    second.child.stderr?.on("data", (text) => (said += text));
    await until(second, () => /takes part[\s\S]*takes part/.test(said));
    await kill(server);
    await sleep(500);
    server = await serve("killed", asking, port);
    const { code, err } = await second.ended;
    expect(code, err).toBe(0);
    expect(fingerprint(run)).toEqual(alone);
    expect(said).not.toContain("cret");
    const down = await start(["fleet", "down", "--server", url, "--run", "killed"], env).ended;
    expect(down.code, down.err).toBe(0);
    for (const { ended } of workers) {
      const { code: last, err: told } = await ended; // they end when their run is removed
      expect(last, told).toBe(0);
      expect(told).toMatch(/^iapo worker \S+ on \S/m);
    }
  });

  test("a server without room ends the run with what it says; it goes on without", async () => {
    const config = join(folder, "small.conf");
    writeFileSync(config, "jetstream { max_file_store: 4M }\n");
    const server = await serve("small", ["-c", config]);
    onTestFinished(() => server[Symbol.asyncDispose]());
    worker(server.url, "full");
    const run = join(folder, "full");
    const there = ["--fleet", server.url, "--run", "full", "--min-workers", "1"];
    const { code, err } = await start([...args, ...there, "--out", run]).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/iapo: nats:\/\/127\.0\.0\.1:\d+: cannot .*(resource|storage|limits|maximum)/);
    const { code: again, err: said } = await start([...args, "--out", run, "--resume"]).ended;
    expect(again, said).toBe(0);
    expect(fingerprint(run)).toEqual(alone);
  });
});

function ending(child: ChildProcess): void {
  onTestFinished(() => void child.kill("SIGKILL"));
}

/** @throws where the process ends before */
async function until({ ended }: Running, isSo: () => boolean): Promise<void> {
  let over: Ended | undefined;
  void ended.then((how) => (over = how));
  while (!isSo()) {
    if (over) throw new Error(`it has ended: ${over.err}`);
    await sleep(20);
  }
}
