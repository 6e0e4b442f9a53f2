// A model behind a real HTTP server: the names of an evaluation's metrics are those of a run's own, and what it refuses costs a task.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluatePolicy } from "@iapo/grpo";
import { createEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
import { expect, onTestFinished, test } from "vitest";
import { endpointPolicy } from "../src/endpoint.ts";
import { answersOf, evaluateSet, type SetEvaluation } from "../src/evaluate-set.ts";
import { measure, metricNames } from "../src/metrics.ts";

type Answer = { readonly status?: number; readonly body: unknown };

const text = (content: string): Answer => ({ body: { choices: [{ message: { content }, finish_reason: "stop" }] } });

/** Says by the whole conversation whether a tool is called, of which axis, and what the answer is. */
function scripted(messages: readonly { readonly role: string }[]): Answer {
  const [byte = 0] = createHash("sha256").update(JSON.stringify(messages)).digest();
  if (messages.length > 1) return text(`FINAL ANSWER: ${10 * (byte % 10)}`);
  if (byte % 5 === 0) return text("FINAL ANSWER: yes");
  const [name = "?"] = /\["[^"]*"/.exec(JSON.stringify(messages).replaceAll('\\"', '"')) ?? [];
  const axis = byte % 3 === 0 ? "columns" : "rows";
  return text(`\`\`\`python\ndisplay(focus_on_${axis}_with_mask(image_1, ${name}], ${axis}_bbox))\n\`\`\`\n`);
}

async function serve(answer: (messages: { role: string }[]) => Answer): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { status = 200, body: said } = answer(JSON.parse(body).messages);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const environment = createEnvironment({ options: { prompt: "compact" } });

async function evaluationOf(endpoint: string, more: Partial<SetEvaluation> = {}): Promise<SetEvaluation> {
  const directory = mkdtempSync(join(tmpdir(), "iapo-evaluation-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const charts = await createNanoCharts({ seed: 3, names: "words" });
  return {
    policy: endpointPolicy({
      ...{ endpoint, model: "m", timeoutMs: 5000, retries: 1, concurrency: 4, maxTokens: 64 },
    }),
    ...{ environment, directory, apart: true, name: "nano", seed: 1, limit: 20 },
    ...{ samples: 1, temperature: 1, maxTokens: 64, batch: 6, signal: new AbortController().signal },
    tasks: (async function* () {
      for (let i = 0; ; i++) yield (await charts.chart("validation", i)).task;
    })(),
    onBatch: () => {},
    ...more,
  };
}

test("every metric has the name and the value that a run's own evaluation gives it, behind val/", async () => {
  const endpoint = await serve(scripted);
  const evaluation = await evaluationOf(endpoint);
  const { groups } = await evaluateSet(evaluation);
  const { metrics } = measure(groups, 1);
  const charts = await createNanoCharts({ seed: 3, names: "words" });
  const tasks = { length: 20, task: async (index: number) => (await charts.chart("validation", index)).task };
  const rollout = { samples: 1, sampling: { temperature: 1 }, maxTokens: 64 };
  const own = await evaluatePolicy(evaluation.policy, environment, tasks, { seed: 9, count: 20, rollout });
  for (const name of metricNames) expect(metrics[name].value, name).toBeCloseTo(own.metrics[`val/${name}`] ?? -1, 12);
  expect(metrics.tool_call_ratio.value).toBeGreaterThan(0);
  expect(metrics.tool_call_ratio.value).toBeLessThan(1);
});

test.each<[string, Answer, RegExp]>([
  ["a status", { status: 400, body: { error: { code: "content_filter", message: "filtered" } } }, /filtered/],
  ["a refusal", { body: { choices: [{ message: { content: null, refusal: "no" } }] } }, /holds no reply: a refusal/],
])(
  "one request refused by %s: its task is named and not counted, the others are, also when it goes on",
  async (_, refusal, reason) => {
    let [asked, refused]: [number, string | undefined] = [0, undefined];
    const endpoint = await serve((messages) => {
      asked++;
      const name = JSON.stringify(messages);
      if (messages.length === 1) refused ??= name;
      return name === refused ? refusal : scripted(messages);
    });
    const failures: string[] = [];
    const evaluation = await evaluationOf(endpoint, { onFailed: ({ task }) => failures.push(task) });
    const { groups, failed } = await evaluateSet(evaluation);
    expect(groups).toHaveLength(19);
    expect(failed).toEqual([{ task: failures[0], reason: expect.stringMatching(reason) }]);
    expect(groups.flat().map(({ task }) => task.id)).not.toContain(failures[0]);
    const before = asked;
    const again = await evaluationOf(endpoint, { directory: evaluation.directory });
    expect(await evaluateSet(again)).toEqual({ groups, failed });
    expect(asked).toBe(before);
  },
);

test("where every request is refused the evaluation fails, and leaves nothing that would keep it from asking again", async () => {
  let works = false;
  const endpoint = await serve((messages) =>
    works ? scripted(messages) : { status: 400, body: { error: "max_tokens is not supported" } },
  );
  const evaluation = await evaluationOf(endpoint, { limit: 3 });
  await expect(evaluateSet(evaluation)).rejects.toMatchObject({
    ...{ name: "EvaluationError", code: "endpoint" },
    message: expect.stringMatching(/nano: each of 3 requests was refused.*max_tokens is not supported/),
  });
  expect(await answersOf(evaluation.directory)).toEqual({ groups: [], failed: [] });
  works = true;
  const { groups } = await evaluateSet(await evaluationOf(endpoint, { limit: 3, directory: evaluation.directory }));
  expect(groups).toHaveLength(3);
});
