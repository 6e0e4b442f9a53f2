// Decoding appends the commands of one step again for the next ones, and takes what stands side by side in one kernel: the same tokens and log-probs as
// recording every step, over many steps, for prompts after each other, with an adapter that changes in between.
import { type Captured, type Device, deriveSeed, openDevice } from "@iapo/tensor-core";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { knownConfigs } from "../src/config.ts";
import { type GeneratedTurn, initializeWeights, QwenVLModel, type Sequence, Session } from "../src/index.ts";
import { textPositions } from "../src/model/response.ts";
import * as together from "../src/model/text-together.ts";
import { activeAdapter } from "./support/adapter.ts";

const FEW = 13; // a whole chunk, and a part of one
const MANY = 150; // until the third block of 64 keys, from which on keys are split
const PROMPTS = [
  [40, 107, 200, 33, 91, 300, 12, 450],
  [55, 80, 431],
];

interface Decoding {
  readonly model: "nano" | "mini";
  readonly dtype: "f32" | "bf16";
  readonly lora: boolean;
  readonly samples: number;
  readonly tokens?: number;
  readonly sampling?: { topP?: number; topK?: number; repetitionPenalty?: number };
}

/** Turns of both prompts, before and after the adapter is changed; how often a step was captured, and how often its commands were appended again. */
async function trajectory(
  device: Device,
  decoding: Decoding,
  replays: boolean,
): Promise<{ turns: GeneratedTurn[]; captured: number; replayed: number }> {
  const { model: name, dtype, lora, samples, tokens = FEW, sampling = {} } = decoding;
  let [captured, replayed] = [0, 0];
  const capture = device.capture.bind(device);
  vi.spyOn(device, "capture").mockImplementation(<T>(fn: () => T): Captured<T> => {
    if (!replays) return { value: fn(), replay: undefined, release: () => {} };
    captured++;
    const { value, replay, release } = capture(fn);
    const counted = (): void => {
      replayed++;
      replay?.();
    };
    return { value, replay: replay && counted, release };
  });
  const apart = replays ? undefined : vi.spyOn(together, "layerTogether").mockReturnValue(undefined);
  const whole = knownConfigs[name];
  const config = { ...whole, text: { ...whole.text, numHiddenLayers: 2 } };
  const model = new QwenVLModel(config, initializeWeights(device, config, [3, 4], { dtype, deviation: 0.1 }));
  if (lora) model.adapter = activeAdapter(model);
  const turns: GeneratedTurn[] = [];
  for (const round of [0, 1]) {
    for (const [p, prompt] of PROMPTS.entries()) {
      const sequence: Sequence = {
        tokens: Int32Array.from(prompt),
        positions: textPositions(0, prompt.length),
        images: [],
      };
      using session = await Session.open(model, [sequence]);
      const seeds = Array.from({ length: samples }, (_, i) => deriveSeed("replay", round, p, i));
      const request = {
        samples,
        seeds,
        sampling: { temperature: 1, ...sampling },
        stop: { ids: [1, 2, 3], maxTokens: tokens },
      };
      turns.push(...(await session.generate(request)));
    }
    const changed = lora
      ? [...model.adapter!.pairs.values()].map(({ b }) => b.run)
      : [model.weights.get("model.layers.0.mlp.up_proj.weight")];
    for (const tensor of changed) {
      if (tensor.dtype === "f32") tensor.write((await tensor.values()).map((value) => 1.5 * value) as Float32Array);
    }
  }
  model.dispose();
  if (apart) expect(apart).toHaveBeenCalled();
  return { turns, captured, replayed };
}

afterEach(() => vi.restoreAllMocks());

const full = process.env.IAPO_FULL === "1";
const nano = { model: "nano", dtype: "f32", lora: false, samples: 6 } as const;
const adapted = { model: "mini", dtype: "bf16", lora: true, samples: 3 } as const;
const others: readonly Decoding[] = [
  { ...nano, samples: 70 },
  { ...nano, lora: true },
  { ...nano, dtype: "bf16", sampling: { topP: 0.9, topK: 50 } },
];

describe.each([
  { kind: {}, decodings: [nano, adapted, ...(full ? others : [])] },
  { kind: { family: "workgroup" as const }, decodings: [adapted, ...(full ? [nano, ...others] : [])] },
])("on $kind", ({ kind, decodings }) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(kind);
    return () => {
      expect(device.memory().liveBytes).toBe(0);
      device.close();
    };
  });

  test.each<Decoding>(decodings)(
    "%o",
    async (decoding) => {
      const expected = await trajectory(device, decoding, false);
      vi.restoreAllMocks();
      const got = await trajectory(device, decoding, true);
      expect(got.turns).toEqual(expected.turns);
      expect(expected.replayed).toBe(0);
      expect(got.replayed).toBeGreaterThanOrEqual(4 * 6); // of the first chunk of each prompt and round all steps but two
      const distinct = new Set(got.turns.map(({ tokens }) => String(tokens)));
      expect(distinct.size).toBeGreaterThan(decoding.samples); // prompts and rounds differ
    },
    300_000,
  );
});

test("on cards a step is captured once for each block of keys and number of drafts, to the same tokens", async () => {
  using device = await openDevice({ family: "workgroup" });
  const decoding = { ...nano, samples: 2, tokens: MANY };
  const expected = await trajectory(device, decoding, false);
  vi.restoreAllMocks();
  const { turns, captured, replayed } = await trajectory(device, decoding, true);
  expect(turns).toEqual(expected.turns);
  expect(Math.max(...turns.map(({ tokens }) => tokens.length))).toBe(MANY);
  expect(replayed).toBeGreaterThan(2 * MANY);
  expect(captured).toBeLessThanOrEqual(4 * (3 + 1)); // a draft that ends leaves one
  expect(device.memory().liveBytes).toBe(0);
}, 300_000);

test("an adapter that is switched off during a turn is off from the next chunk on", async () => {
  using device = await openDevice({ family: "workgroup" });
  const whole = knownConfigs.nano;
  const config = { ...whole, text: { ...whole.text, numHiddenLayers: 2 } };
  const model = new QwenVLModel(config, initializeWeights(device, config, [3, 4], { deviation: 0.1 }));
  const adapter = activeAdapter(model);
  const prompt = { tokens: Int32Array.of(40, 107, 200), positions: textPositions(0, 3), images: [] };
  const sampled = async (hear: () => void): Promise<GeneratedTurn[]> => {
    model.adapter = adapter;
    using session = await Session.open(model, [prompt]);
    const stop = { ids: [], maxTokens: 40 };
    return await session.generate({ samples: 1, seeds: [[1, 2]], sampling: { temperature: 1 }, stop, onTokens: hear });
  };
  const whileOn = await sampled(() => {});
  const switched = await sampled(() => {
    model.adapter = undefined;
  });
  vi.spyOn(device, "capture").mockImplementation((fn) => ({ value: fn(), replay: undefined, release: () => {} }));
  const recorded = await sampled(() => {
    model.adapter = undefined;
  });
  expect(switched).toEqual(recorded);
  expect(switched).not.toEqual(whileOn);
  adapter.dispose();
  model.adapter = undefined;
  model.dispose();
}, 300_000);

test("with a repetition penalty every step is recorded, to the same end", async () => {
  using device = await openDevice();
  const decoding = { ...nano, samples: 2, sampling: { repetitionPenalty: 1.3 } };
  const expected = await trajectory(device, decoding, false);
  vi.restoreAllMocks();
  expect(await trajectory(device, decoding, true)).toEqual({ turns: expected.turns, captured: 0, replayed: 0 });
}, 300_000);
