// Parity: the log-probs that a rollout saw are those of the packed, shared-prefix training forward, to the bit.
import { join } from "node:path";
import { type Device, deriveSeed, noGrad, openDevice, scope } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Session } from "../src/generation/session.ts";
import type { QwenVLModel } from "../src/model/model.ts";
import { type PromptGroup, packGroups, type Sequence } from "../src/model/pack.ts";
import { joinSequences, turnSequence } from "../src/model/response.ts";
import { ropePositions } from "../src/processor/positions.ts";
import { activeAdapter } from "./support/adapter.ts";
import { type Golden, loadGolden } from "./support/golden.ts";
import { imagesOf, loadNano, nanoDirectory, sequenceOf } from "./support/nano.ts";

let device: Device;
let golden: Golden;
beforeAll(async () => {
  device = await openDevice();
  golden = await loadGolden(join(nanoDirectory, "golden.safetensors"));
});
afterAll(() => device.close());

const VISION_START = 5;
const VISION_END = 6;
const IMAGE = 7;
const BANNED = [0, IMAGE, 8];

/** An edited image with a word on either side, at the position where a turn ended. */
function observation(model: QwenVLModel, position: number, variant: number): Sequence {
  const image = imagesOf(golden, "A")[variant % 2]!;
  const cells = (image.grid[1] * image.grid[2]) / 4;
  const tokens = Int32Array.from([20 + variant, VISION_START, ...new Array<number>(cells).fill(IMAGE), VISION_END, 30]);
  const { positions } = ropePositions(tokens, [image.grid], model.config.tokens, 2, position);
  return { tokens, positions, images: [image] };
}

const cases = [
  { dtype: "f32", lora: false, temperature: 1, samples: 1 },
  { dtype: "f32", lora: true, temperature: 0.7, samples: 32 },
  { dtype: "bf16", lora: false, temperature: 0.7, samples: 4 },
  { dtype: "bf16", lora: true, temperature: 1, samples: 4 },
] as const;

test.each(cases)(
  "two turns and two images: $dtype, LoRA $lora, T $temperature, $samples a prompt",
  async ({ dtype, lora, temperature, samples }) => {
    const model = await loadNano(device, { dtype });
    const before = device.memory().liveBytes;
    if (lora) model.adapter = activeAdapter(model);
    const images = imagesOf(golden, "B");
    const prompts = [sequenceOf(golden, "A", 0, imagesOf(golden, "A")), sequenceOf(golden, "B", 1, [images[1]!])];
    const seeds = prompts.flatMap((_, p) => Array.from({ length: samples }, (_, i) => deriveSeed("parity", p, i)));
    const request = {
      samples,
      sampling: { temperature, bannedIds: BANNED },
      seeds,
      stop: { ids: [1, 2, 3, 4], maxTokens: 11 },
    };
    using session = await Session.open(model, prompts);
    const first = await session.generate(request);
    const observations = first.map((turn, i) => observation(model, turn.nextPosition, i));
    await session.append(observations);
    const second = await session.generate(request);
    expect(new Set(first.map((turn) => turn.tokens.length)).size).toBeGreaterThan(samples > 1 ? 1 : 0);

    const groups: PromptGroup[] = prompts.map((prompt, p) => ({
      prompt,
      responses: Array.from({ length: samples }, (_, i) => {
        const at = p * samples + i;
        return joinSequences([
          { ...turnSequence(first[at]!), target: true },
          { ...observations[at]!, target: false },
          { ...turnSequence(second[at]!), target: true },
        ]);
      }),
    }));
    const batch = packGroups(model.config, groups);
    const uploaded = model.upload(batch);
    const { logProb, entropy } = noGrad(() =>
      scope(() =>
        model.logProbs(model.hidden(model.embed(uploaded), uploaded), batch, { temperature, bannedIds: BANNED }),
      ),
    );
    const expected = first.flatMap((turn, i) => [...turn.logProbs, ...second[i]!.logProbs]);
    expect([...(await logProb.values())]).toEqual(expected);
    for (const tensor of [logProb, entropy]) tensor.dispose();
    model.release(uploaded);
    session.close();
    model.adapter?.dispose();
    expect(device.memory().liveBytes).toBe(before);
    model.weights.dispose();
  },
);

test("a response depends on its prompt and seed only", async () => {
  const model = await loadNano(device);
  const images = imagesOf(golden, "B");
  const prompts = [0, 1].map((row) => sequenceOf(golden, "B", row, [images[row]!]));
  const request = {
    sampling: { temperature: 1, topP: 0.9, topK: 50, bias: new Map([[9, 1.5]]) },
    stop: { ids: [1], maxTokens: 20 },
  };
  const seed = (p: number, i: number) => deriveSeed("alone", p, i);
  using together = await Session.open(model, prompts);
  const seeds = [0, 1].flatMap((p) => [0, 1, 2].map((i) => seed(p, i)));
  const all = await together.generate({ ...request, samples: 3, seeds });
  using single = await Session.open(model, [prompts[1]!]);
  const [alone] = await single.generate({ ...request, samples: 1, seeds: [seed(1, 2)] });
  expect(alone).toEqual(all[5]);
  together.close();
  single.close();
  model.dispose();
});
