// Scorers of tokens on the shipped nano student: a trace as it was has the rollout's bits, whatever is asked beside it; changes of prompt,
// picture and text are what they say.
import type { Image, PromptBlock, Trace } from "@iapo/rollout-trace";
import { type Device, deriveSeed, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstPrompt, rollout, type Scorers, type TokenScorer, tokenScorer, writtenTokens } from "../src/index.ts";
import { charts, chartTasks, nanoPolicy } from "./support/nano.ts";

let device: Device;
let policy: Awaited<ReturnType<typeof nanoPolicy>>;
let scorer: TokenScorer;
let traces: readonly Trace[];

beforeAll(async () => {
  device = await openDevice();
  policy = await nanoPolicy(device, { weights: "student" });
  scorer = tokenScorer({ model: policy }, { device, microBatchTokens: 500, maxTokens: 48 });
  const options = { samples: 3, sampling: { temperature: 0.7 }, maxTokens: 48 };
  const place = { step: 0, seed: (...at: number[]) => deriveSeed("scorers", ...at) };
  const tasks = await chartTasks(2, { names: "words" });
  traces = (await rollout(policy, charts, tasks, options, place)).groups.flat();
});
afterAll(() => {
  policy.model.dispose();
  device.close();
});

const rolledOut = ({ turns }: Pick<Trace, "turns">): number[] => turns.flatMap(({ logProbs }) => [...logProbs]);
const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);
const gray = ({ width, height, channels, data }: Image) => ({
  ...{ width, height, channels },
  data: new Uint8Array(data.length).fill(128),
});

test("a trace as it was has the log-probs of its rollout, to the bit, in any order and beside other requests", async () => {
  const asked = traces.map((trace) => ({ trace }));
  const made = await scorer.logProbs(asked);
  expect(made.map((values) => [...values])).toEqual(traces.map(rolledOut));
  const mixed = await scorer.logProbs([...asked.toReversed(), { trace: traces[0]!, text: "no\n" }]);
  expect(mixed.slice(0, -1).map((values) => [...values])).toEqual(traces.map(rolledOut).toReversed());
  expect(await scorer.logProbs([])).toEqual([]);
});

test("the same prompt, pictures or text said again change no bit; others do", async () => {
  const [trace] = traces as [Trace];
  const first = rolledOut({ turns: trace.turns.slice(0, 1) });
  const prompt = firstPrompt(trace);
  const others: readonly PromptBlock[] = prompt.map((block) =>
    block.kind === "query" ? { ...block, text: `No.\n${block.text}` } : block,
  );
  const [same, asked, samePicture, masked, said] = await scorer.logProbs([
    { trace, prompt },
    { trace, prompt: others },
    { trace, picture: (image) => image },
    { trace, picture: gray },
    { trace, text: trace.turns[0]!.text },
  ]);
  expect([...same!]).toEqual(first);
  expect([...samePicture!]).toEqual(rolledOut(trace));
  expect([...asked!]).not.toEqual(first);
  expect(asked).toHaveLength(first.length);
  expect(sum(masked!)).toBeLessThan(sum(rolledOut(trace)));
  expect([...said!]).toEqual(first);
  expect(await writtenTokens(policy, { trace, prompt: others })).toBe(first.length);
  expect(await writtenTokens(policy, { trace })).toBe(rolledOut(trace).length);
});

test("what a model writes itself is its likeliest turn, once a prompt", async () => {
  const texts = await scorer.firstTurns(traces);
  expect(new Set(texts).size).toBe(2);
  const [own] = await scorer.logProbs([{ trace: traces[0]!, text: texts[0]! }]);
  expect(sum(own!)).toBeGreaterThanOrEqual(sum(rolledOut({ turns: traces[0]!.turns.slice(0, 1) })) - 1e-4);
});

test("what cannot be asked is said", async () => {
  const [trace] = traces as [Trace];
  const small = ({ channels }: Image) => ({ width: 1, height: 1, channels, data: new Uint8Array(channels) });
  await expect(scorer.logProbs([{ trace, picture: small }])).rejects.toThrow(/1 x 1 cannot stand for one of/);
  const mute: Scorers["policy"] = tokenScorer(
    { model: { pack: (groups) => policy.pack(groups) } },
    { device, maxTokens: 8 },
  );
  await expect(mute.logProbs([{ trace, text: "a" }])).rejects.toThrow(/renders no prompt/);
  await expect(mute.firstTurns([trace])).rejects.toThrow(/writes no turn/);
  expect([...(await mute.logProbs([{ trace }]))[0]!]).toEqual(rolledOut(trace));
});

test("traces with patches that this model's processor does not make are refused", async () => {
  const [trace] = traces as [Trace];
  const [turn, ...others] = trace.turns as [Trace["turns"][number]];
  const foreign = { ...trace, turns: [{ ...turn, patches: ["0".repeat(64)] }, ...others] };
  await expect(scorer.logProbs([{ trace: foreign }])).rejects.toThrow(/both models need the same preprocessor_config/);
});
