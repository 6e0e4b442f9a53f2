// The model as a policy: what it refuses, and its store of images.
import { ImageStore, type QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Trajectory } from "@iapo/rollout-trace";
import { type Device, deriveSeed, noGrad, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rollout } from "../src/index.ts";
import { chartTasks, environment, nanoPolicy } from "./support/nano.ts";

let device: Device;
let policy: QwenVLPolicy;
beforeAll(async () => {
  device = await openDevice();
  policy = await nanoPolicy(device);
});
afterAll(() => {
  policy.model.dispose();
  device.close();
});

test("traces of a group share their prompt, and hold their positions", async () => {
  const options = { samples: 2, sampling: { temperature: 1 }, maxTokens: 4 };
  const place = { step: 0, seed: (...at: number[]) => deriveSeed("policy", ...at) };
  const { groups } = await rollout(policy, environment, await chartTasks(2), options, place);
  const [one, other] = groups.map(([first]) => first!);
  const logProbs = async (traces: readonly (readonly Trajectory[])[]) => {
    const packed = policy.pack(traces);
    const { logProb, entropy } = noGrad(() => packed.logProbs());
    entropy.dispose();
    packed.dispose();
    using owned = logProb;
    return { rows: packed.rows, values: await owned.values() };
  };
  const [together, apart] = [await logProbs([[one!, other!]]), await logProbs([[one!], [other!]])];
  expect(together.values, "different tasks share their instructions").toEqual(apart.values);
  expect(together.rows).toBeLessThan(apart.rows);
  const { positions: _, ...blind } = one!.turns[0]!;
  expect(() => policy.pack([[{ turns: [blind] }]])).toThrow("holds no positions");
  const mute = { ...one!.turns[0]!, lossMask: new Uint8Array(one!.turns[0]!.tokens.length) };
  expect(() => policy.pack([[{ turns: [mute] }]])).toThrow("at least one sampled token");
});

test("a special token in a text to be learned is its characters", async () => {
  const [task] = await chartTasks(1);
  const input = { freshPrompt: true, blocks: environment.prompt(task!) };
  const [special] = policy.processor.tokenizer.specialTokens.keys();
  const { tokens, lossMask, text } = policy.transcribe(input, `yes${special}`);
  expect(text).toBe(`yes${special}`);
  const structure = new Set(policy.processor.tokenizer.specialTokens.values());
  const written = tokens.filter((_, at) => lossMask[at] === 1);
  expect([...written].filter((id) => structure.has(id))).toEqual([policy.processor.stopIds[0]]);
});

test("a transcribed turn has the log-probs of the same tokens sampled, and an image that fell out of the store comes back the same", async () => {
  const [task] = await chartTasks(1);
  const written: Trajectory = {
    turns: [policy.transcribe({ freshPrompt: true, blocks: environment.prompt(task!) }, "yes\n")],
  };
  const small = new ImageStore(policy.processor, 1);
  const images = (await chartTasks(3)).map(({ content }) => content.image);
  const first = small.get(images[0]!);
  for (const image of images) small.get(image);
  expect(small.processed).toBe(3);
  expect(small.get(images[0]!)).toEqual(first);
  expect(small.processed).toBe(4);

  const scores = async (groups: Trajectory[][]): Promise<number[]> => {
    const packed = policy.pack(groups);
    const { logProb, entropy } = noGrad(() => packed.logProbs());
    const values = [...(await logProb.values())];
    for (const item of [logProb, entropy, packed]) item.dispose();
    return values;
  };
  const alone = await scores([[written]]);
  expect(await scores([[written, written]])).toEqual([...alone, ...alone]);
  expect(alone).toHaveLength(policy.processor.tokenizer.encode("yes\n").length + 1);
});
