// A judge over HTTP that would change its mind: its verdicts are on disk before they are used, so a killed run goes on to the same bytes.
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "@iapo/rollout-trace";
import { type Device, openDevice } from "@iapo/tensor-core";
import { createEnvironment, type VisualContent } from "@iapo/vqa-tasks";
import { createJudge } from "@iapo/vqa-tasks/scoring";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rollout } from "../src/index.ts";
import { chartTasks, nanoPolicy, withPrograms } from "./support/nano.ts";
import { ended, startRun } from "./support/process.ts";
import { fingerprint, runOptions } from "./support/run.ts";

const STEPS = 3;

/** Says yes or no by chance of the question; asked the same again it says the contrary. */
class FickleJudge {
  readonly asked = new Map<string, number>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      let prompt = "";
      for await (const chunk of request) prompt += String(chunk);
      const times = this.asked.get(prompt) ?? 0;
      this.asked.set(prompt, times + 1);
      const verdict = (createHash("sha256").update(prompt).digest()[0]! + times) % 2;
      response.end(JSON.stringify({ choices: [{ message: { content: String(verdict) } }] }));
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let root: string;
let device: Device;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "grpo-judge-"));
  device = await openDevice();
});
afterAll(async () => {
  device.close();
  await rm(root, { recursive: true, force: true });
});

async function judgedRun(judge: string, directory: string, last?: number) {
  const more = last === undefined ? [] : [String(last)];
  return ended(startRun("judged.ts", [join(root, directory), String(STEPS), judge, ...more]));
}

const kill = "killed after verdicts were given and resumed: the same bytes, and no question is asked twice";
test(kill, { timeout: 300_000 }, async () => {
  const [judge, another] = [new FickleJudge(), new FickleJudge()];
  const [endpoint, other] = [await judge.listen(), await another.listen()];
  expect(await judgedRun(other, "whole")).toEqual({ killed: false, errors: "" });
  const whole = await fingerprint(join(root, "whole"));
  another.close();

  // The last checkpoint is that after the second step; the third one is made again.
  expect(await judgedRun(endpoint, "killed", STEPS - 1)).toEqual({ killed: true, errors: "" });
  const given = judge.asked.size;
  expect(given).toBeGreaterThan(3 * STEPS);
  await cp(join(root, "killed"), join(root, "forgetful"), { recursive: true });
  await rm(join(root, "forgetful/verdicts.jsonl"));
  expect(await judgedRun(endpoint, "killed")).toEqual({ killed: false, errors: "" });
  expect(await fingerprint(join(root, "killed"))).toEqual(whole);
  expect([...judge.asked.values()].every((times) => times === 1)).toBe(true);
  expect((await readFile(join(root, "killed/verdicts.jsonl"), "utf8")).split("\n")).toHaveLength(judge.asked.size + 1);

  // Without its verdicts the judge is asked again, and says the contrary.
  expect(await judgedRun(endpoint, "forgetful")).toEqual({ killed: false, errors: "" });
  expect(await fingerprint(join(root, "forgetful"))).not.toEqual(whole);
  judge.close();
});

test("a judge that hangs costs its timeout and its own samples only; a run that is to stop does not wait for it", async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const judge = createJudge({ endpoint, model: "judge" });
  const scoring = { scoring: "judge", extraction: "final_answer" } as const;
  const charts = withPrograms(createEnvironment({ options: { prompt: "compact", scoring }, judge }));
  /** The first sample to end its episode has an answer, which the judge is asked about. */
  const environment = (): Environment<VisualContent> => {
    let asked = false;
    return {
      ...charts,
      async step(task, turn, earlier) {
        const result = await charts.step(task, turn, earlier);
        if (!result.done || asked) return result;
        asked = true;
        return charts.step(task, { text: "FINAL ANSWER: yes" }, earlier);
      },
    };
  };
  const policy = await nanoPolicy(device);
  const tasks = await chartTasks(1);
  const place = { step: 0, seed: (...at: number[]): [number, number] => [at[1]!, at[2]!] };
  const roll = (more: object) => rollout(policy, environment(), tasks, { ...runOptions.rollout, ...more }, place);
  const { groups, failures } = await roll({ timeoutMs: 300, onFailure: "drop" });
  expect(failures.map(({ message }) => message)).toEqual(["its rewards took more than 300 ms"]);
  expect(groups[0]!.filter(({ rewards }) => rewards.outcome === 0)).toHaveLength(2);
  await expect(roll({ timeoutMs: 300 })).rejects.toThrow(
    /sample \d, task \S+ failed: its rewards took more than 300 ms; correct its cause/,
  );
  const signal = AbortSignal.timeout(2000);
  const stopped: unknown = await roll({ signal }).catch((error) => error);
  expect(signal.aborted && stopped === signal.reason).toBe(true);
  policy.model.dispose();
  server.closeAllConnections();
  server.close();
});
