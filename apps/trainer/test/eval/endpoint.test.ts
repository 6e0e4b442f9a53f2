// iapo eval against an endpoint: a real server on this machine that answers, stalls, fails, lies, or goes away.
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageRef, Trace } from "@iapo/rollout-trace";
import { readRun } from "@iapo/rollout-trace/files";
import { readImage } from "@iapo/visual-tools/sharp";
import { expect, test } from "vitest";
import { type ChatRequest, reply, scripted, serve } from "../support/chat-server.ts";
import { expectRefusal, iapo, start, temporaryFolder } from "../support/iapo.ts";

const few = ["--limit", "12", "--batch", "3", "--n", "2"];

function evalArgs(endpoint: string, out: string, ...more: string[]): string[] {
  return ["eval", "--endpoint", endpoint, "--name", "scripted", "--out", out, ...few, ...more];
}

test("samples two turns with the edited picture in the second, and reports rates that the traces bear out", async () => {
  const requests: ChatRequest[] = [];
  let key: string | undefined;
  const endpoint = await serve((request, response, raw) => {
    requests.push(request);
    key = raw.headers.authorization;
    scripted(request, response, raw);
  });
  const out = join(temporaryFolder(), "eval");
  const { code, out: text } = await iapo(evalArgs(endpoint, out, "--json"), { IAPO_ENDPOINT_KEY: "secret" });
  expect(code).toBe(0);
  expect(key).toBe("Bearer secret");
  expect(new Set(requests.map(({ temperature }) => temperature))).toEqual(new Set([1]));
  expect(new Set(requests.map(({ seed }) => seed)).size).toBe(requests.length);

  const pictures = requests.map(({ messages }) =>
    messages.flatMap(({ content }) =>
      typeof content === "string" ? [] : content.flatMap((part) => part.image_url ?? []),
    ),
  );
  expect(new Set(pictures.map(({ length }) => length))).toEqual(new Set([1, 2]));
  const edited = pictures.flatMap(([original, shown]) => (shown && shown.url !== original?.url ? [shown] : []));
  expect(edited.length).toBeGreaterThan(0); // a call of the other axis changes nothing
  const bytes = Buffer.from(edited[0]!.url.replace("data:image/png;base64,", ""), "base64");
  expect(await readImage(bytes)).toMatchObject({ width: 112, height: 112 });

  const traces: Trace<ImageRef>[] = [];
  for await (const trace of readRun(join(out, "traces/nano"))) traces.push(trace);
  expect(traces).toHaveLength(24);
  const { metrics } = JSON.parse(text).sets.nano;
  const share = (name: string): number => traces.reduce((sum, { rewards }) => sum + rewards[name]!, 0) / traces.length;
  for (const [metric, part] of [
    ["reward/outcome", "outcome"],
    ["tool_call_ratio", "tool_call"],
    ["reward/tool_misuse", "tool_misuse"],
    ["reward/tool_names", "tool_names"],
  ]) {
    expect(metrics[metric!].value).toBeCloseTo(share(part!), 12);
    expect(metrics[metric!].interval[0]).toBeLessThanOrEqual(metrics[metric!].value);
    expect(metrics[metric!].interval[1]).toBeGreaterThanOrEqual(metrics[metric!].value);
  }
  expect(metrics["reward/tool_misuse"].value).toBeGreaterThan(0);
  expect(metrics["reward/tool_misuse"].value).toBeLessThan(metrics.tool_call_ratio.value);
  expect(JSON.parse(readFileSync(join(out, "results.json"), "utf8"))).toEqual(JSON.parse(text));
});

test("killed half-way and run again, it asks only for what is missing, and gives the same bytes", async () => {
  let [asked, killAt] = [0, Number.POSITIVE_INFINITY];
  let kill: () => unknown = () => {};
  const endpoint = await serve((request, response, raw) => {
    if (++asked === killAt) return void kill();
    scripted(request, response, raw);
  });
  const folder = temporaryFolder();
  const [whole, broken] = [join(folder, "whole"), join(folder, "broken")];
  expect((await iapo(evalArgs(endpoint, whole))).code).toBe(0);
  const all = asked;

  [asked, killAt] = [0, Math.floor(all * 0.7)];
  const running = start(evalArgs(endpoint, broken));
  const busy = new Promise<void>((resolve) => {
    kill = async () => {
      await expectRefusal(evalArgs(endpoint, broken), 4, /is in use by process \d+ .*\(busy\)/); // while the other holds it
      running.child.kill("SIGKILL");
      resolve();
    };
  });
  expect((await running.ended).signal).toBe("SIGKILL");
  await busy;
  const kept = readdirSync(join(broken, "traces/nano")).filter((name) => name.endsWith(".jsonl"));
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.length).toBeLessThan(4);

  [asked, killAt] = [0, Number.POSITIVE_INFINITY];
  expect((await iapo(evalArgs(endpoint, broken))).code).toBe(0);
  expect(asked).toBeLessThan(all);
  for (const file of [
    "results.json",
    ...readdirSync(join(whole, "traces/nano")).map((name) => `traces/nano/${name}`),
  ]) {
    expect(readFileSync(join(broken, file)), file).toEqual(readFileSync(join(whole, file)));
  }
  rmSync(join(whole, "traces/nano/step-000003.jsonl")); // and a directory of other settings is refused
  await expectRefusal(evalArgs(endpoint, whole, "--seed", "2"), 1, /another .*sampling.*another --out \(settings\)/);
});

test("a server that is down, slow, garbled or wrong is an error that says so; what was done stays", async () => {
  const folder = temporaryFolder();
  const quick = ["--retries", "1", "--timeout", "1"];
  const dead = await serve((_request, _response, raw) => void raw.socket.destroy());
  await expectRefusal(evalArgs(dead, join(folder, "dead"), ...quick), 1, /did not answer: POST .*\(endpoint\)/);
  const slow = await serve(() => {});
  await expectRefusal(evalArgs(slow, join(folder, "slow"), ...quick), 1, /no whole answer within 1 s.*\(endpoint\)/);
  const garbled = await serve((_request, response) => void response.end("<html>busy</html>"));
  await expectRefusal(evalArgs(garbled, join(folder, "garbled"), ...quick), 1, /is no JSON.*\(endpoint\)/);
  const other = await serve((_request, response) => void response.end('{"error":"no such model"}'));
  await expectRefusal(
    evalArgs(other, join(folder, "other"), ...quick),
    1,
    /error inside of the answer: "no such model"/,
  );
  let asked = 0;
  const failing = await serve((request, response, raw) => {
    if (++asked > 20) response.writeHead(401).end("who are you?");
    else scripted(request, response, raw);
  });
  await expectRefusal(evalArgs(failing, join(folder, "failing"), ...quick), 1, /status 401 .*who are you/);
  expect(readdirSync(join(folder, "failing/traces/nano"))).toContain("step-000000.jsonl");
});

test("a request that is refused costs its task: said as it happens, and in the table", async () => {
  let refused: string | undefined;
  const endpoint = await serve((request, response, raw) => {
    const asked = JSON.stringify(request.messages);
    refused ??= asked;
    if (asked !== refused) return scripted(request, response, raw);
    response.writeHead(400).end('{"error":{"code":"content_filter","message":"filtered"}}');
  });
  const args = ["eval", "--endpoint", endpoint, "--name", "m", "--limit", "6", "--batch", "3", "--concurrency", "1"];
  const { code, out, err } = await iapo([...args, "--out", join(temporaryFolder(), "out")]);
  expect(code, err).toBe(0);
  expect(err).toMatch(/^nano: task nano-\S+ failed and is not counted: POST \S+: status 400 .*content_filter/m);
  expect(out).toMatch(/^nano: 5 responses to 5 tasks, 1 more failed and are not counted, 95 % bootstrap intervals$/m);
  expect(out).toMatch(/^ {2}failed: nano-\S+: POST .*content_filter/m);
});

test("a judge's verdicts are kept and not asked for again", async () => {
  let judged = 0;
  const endpoint = await serve((request, response, raw) => {
    if (request.model !== "judge") return scripted(request, response, raw);
    judged++;
    const prompt = request.messages[0]!.content as string;
    reply(response, /right-[0-9a-f]{8}/.exec(prompt)?.[0] ?? "");
  });
  const out = join(temporaryFolder(), "eval");
  const args = evalArgs(endpoint, out, "--json", "--judge", endpoint, "--judge-name", "judge");
  const first = await iapo(args);
  expect(JSON.parse(first.out).sets.nano.metrics["reward/outcome"].value).toBe(1);
  expect(judged).toBeGreaterThan(0);
  const before = judged;
  rmSync(join(out, "traces"), { recursive: true });
  expect((await iapo(args)).out).toBe(first.out);
  expect(judged).toBe(before);
});

test("own tasks: counted, the bad row named, the rule of scoring in the results; other rows are another evaluation", async () => {
  const folder = temporaryFolder();
  const mine = join(folder, "mine");
  await iapo(["data", "render", "nano", "--count", "4", "--out", mine]);
  appendFileSync(join(mine, "tasks.jsonl"), '{"id":"x","image":"images/lost.png","question":"?","answers":["1"]}\n');
  const endpoint = await serve(scripted);
  const args = ["eval", "--endpoint", endpoint, "--name", "m", "--tasks", mine, "--out", join(folder, "out")];
  const { code, out, err } = await iapo(args);
  expect(code, err).toBe(0);
  expect(err).toMatch(/1 of 5 rows of \S+mine are left out: tasks\.jsonl, row 5: images\/lost\.png: not found/);
  expect(out).toMatch(/^mine: 4 responses to 4 tasks[\s\S]*scored by {7}relaxed/m);
  expect(JSON.parse(readFileSync(join(folder, "out/results.json"), "utf8")).scoring).toEqual({ mine: "relaxed" });
  const rows = readFileSync(join(mine, "tasks.jsonl"), "utf8").split("\n").slice(1);
  writeFileSync(join(mine, "tasks.jsonl"), rows.join("\n"));
  await expectRefusal(args, 1, /another sets/);
  await expectRefusal(["eval", "m", "--tasks", join(folder, "none.jsonl")], 1, /no such file or folder/);
  await expectRefusal(["eval", "m", "--tasks", mine, "--format", "taks"], 2, /Did you mean tasks/);
});
