// The repetition penalty over prompt and response, against what transformers generates, and against the rule by hand.
import { type Device, deriveSeed, linear, noGrad, openDevice, scope } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Session } from "../src/generation/session.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { packGroups, type Sequence } from "../src/model/pack.ts";
import { loadNano } from "./support/nano.ts";

const PROMPT = [40, 107, 200, 33, 91, 300, 12, 450];
let device: Device;
let model: QwenVLModel;

beforeAll(async () => {
  device = await openDevice();
  model = await loadNano(device);
});
afterAll(() => {
  model.dispose();
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

function sequenceOf(tokens: readonly number[], first = 0): Sequence {
  const positions = Int32Array.from(tokens.flatMap((_, i) => [first + i, first + i, first + i]));
  return { tokens: Int32Array.from(tokens), positions, images: [] };
}

function request(repetitionPenalty: number, maxTokens: number, samples = 1, prompts = 1) {
  const seeds = Array.from({ length: samples * prompts }, (_, i) => deriveSeed("penalty", i));
  return { samples, seeds, sampling: { temperature: 0, repetitionPenalty }, stop: { ids: [], maxTokens } };
}

// generate(do_sample=False, repetition_penalty=..., max_new_tokens=24) of transformers 5.24 on this checkpoint.
test.each([
  [1, [41, 41, 431, 80, 80, 80, 80, 80, 80, 80, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55, 55]],
  [1.3, [41, 431, 80, 80, 80, 80, 80, 80, 80, 55, 55, 55, 55, 55, 55, 510, 184, 55, 55, 55, 55, 55, 55, 55]],
  [0.8, Array.from({ length: 24 }, () => 41)],
])("a penalty of %d as transformers applies it", async (penalty, expected) => {
  using session = await Session.open(model, [sequenceOf(PROMPT)]);
  const [turn] = await session.generate(request(penalty, 24));
  expect([...(turn?.tokens ?? [])]).toEqual(expected);
});

/** The likeliest id behind `tokens` where ids among them are penalized, in f64. */
async function likeliest(tokens: readonly number[], penalty: number): Promise<number> {
  const uploaded = model.upload(packGroups(model.config, [{ prompt: sequenceOf(tokens), responses: [] }]));
  using logits = noGrad(() => scope(() => linear(model.hidden(model.embed(uploaded), uploaded), model.head)));
  model.release(uploaded);
  const { vocabSize } = model.config.text;
  const row = Array.from((await logits.values()).slice(-vocabSize));
  for (const id of new Set(tokens)) row[id] = (row[id] ?? 0) * ((row[id] ?? 0) > 0 ? 1 / penalty : penalty);
  return row.indexOf(Math.max(...row));
}

test("prompts of several lengths, several samples and turns: each response by its own ids", async () => {
  const prompts = [PROMPT, [55, 80, 431, 41, 10]];
  using session = await Session.open(
    model,
    prompts.map((prompt) => sequenceOf(prompt)),
  );
  const seen = prompts.map((prompt) => [...prompt]);
  for (let turn = 0; turn < 2; turn++) {
    const turns = await session.generate(request(2.5, 11, 1, 2));
    for (const [i, { tokens }] of turns.entries()) {
      const history = seen[i] ?? [];
      for (const id of tokens) {
        expect(id).toBe(await likeliest(history, 2.5));
        history.push(id);
      }
    }
    const next = [17, 18, 19];
    await session.append(seen.map((history) => sequenceOf(next, history.length)));
    for (const history of seen) history.push(...next);
  }
});

test("what is returned are the log-probs of the model, without the penalty", async () => {
  using plain = await Session.open(model, [sequenceOf(PROMPT)]);
  using penalized = await Session.open(model, [sequenceOf(PROMPT)]);
  const [[a], [b]] = [await plain.generate(request(1, 1)), await penalized.generate(request(1.2, 1))];
  expect(b?.tokens).toEqual(a?.tokens);
  expect(b?.logProbs).toEqual(a?.logProbs);
});

test("a penalty that is none is refused by name", async () => {
  using session = await Session.open(model, [sequenceOf(PROMPT)]);
  for (const penalty of [0, -1, Number.NaN]) {
    await expect(session.generate(request(penalty, 2))).rejects.toThrow("repetitionPenalty: ");
  }
});
