// What callers hear while a session generates, and what is left of it when they fail or leave.
import { type Device, deriveSeed, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GenerateRequest } from "../src/generation/request.ts";
import { Session } from "../src/generation/session.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import type { Sequence } from "../src/model/pack.ts";
import { loadNano } from "./support/nano.ts";

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

const [SAMPLES, MAX_TOKENS] = [6, 16];
const prompt: Sequence = {
  tokens: Int32Array.of(20, 21, 22),
  positions: Int32Array.of(0, 1, 2, 0, 1, 2, 0, 1, 2),
  images: [],
};

/** Two chunks of 8 tokens; every fifth id ends a response, so that some end in the first and some in the second. */
async function generate(more: Partial<GenerateRequest>) {
  using session = Session.open(model, [prompt]);
  return await session.generate({
    samples: SAMPLES,
    sampling: { temperature: 1 },
    seeds: Array.from({ length: SAMPLES }, (_, i) => deriveSeed("session", i)),
    stop: { ids: Array.from({ length: 200 }, (_, i) => 5 * i), maxTokens: MAX_TOKENS },
    ...more,
  });
}

test("turns are heard as they end, when the others' next tokens are already asked for", async () => {
  const heard: { response: number; dispatches: number }[] = [];
  const pieces: number[][] = Array.from({ length: SAMPLES }, () => []);
  const turns = await generate({
    onTurn: (response) => heard.push({ response, dispatches: device.dispatches }),
    onTokens: (response, tokens) => pieces[response]!.push(...tokens),
  });
  const all = device.dispatches;
  const early = turns.flatMap(({ tokens }, i) => (tokens.length <= MAX_TOKENS / 2 ? [i] : []));
  const late = turns.flatMap((_, i) => (early.includes(i) ? [] : [i]));
  expect(early.length).toBeGreaterThan(0);
  expect(late.length).toBeGreaterThan(0);
  expect(heard.map(({ response }) => response)).toEqual([...early, ...late]);
  expect(heard.map(({ dispatches }) => dispatches)).toEqual(heard.map(() => all));
  expect(pieces).toEqual(turns.map(({ tokens }) => [...tokens]));
});

test("a caller that throws, or whose signal aborts, leaves nothing behind", async () => {
  const live = device.memory().liveBytes;
  const fail = (): never => {
    throw new Error("no use for it");
  };
  await expect(generate({ onTurn: fail })).rejects.toThrow("no use for it");
  expect(device.memory().liveBytes).toBe(live);
  await expect(generate({ signal: AbortSignal.abort(new Error("never mind")) })).rejects.toThrow("never mind");
  expect(device.memory().liveBytes).toBe(live);
  const leave = new AbortController();
  let heard = 0;
  const onTokens = (): void => {
    heard++;
    leave.abort(new Error("enough"));
  };
  const stop = { ids: [], maxTokens: 1000 };
  await expect(generate({ signal: leave.signal, onTokens, stop })).rejects.toThrow("enough");
  expect(heard).toBe(SAMPLES);
  expect(device.memory().liveBytes).toBe(live);
});
