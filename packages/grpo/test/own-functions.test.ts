// An advantage or a loss of the user's own that throws, or gives something else, is named with its file; the cause is kept.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ops from "@iapo/tensor-core";
import { afterAll, expect, test } from "vitest";
import { type AdvantageFunction, advantagesBy, loadFunction, type TensorLoss } from "../src/index.ts";
import { ownLoss } from "../src/update/own-loss.ts";

const folder = mkdtempSync(join(tmpdir(), "own-functions-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function load<F extends (...given: never[]) => unknown>(source: string): Promise<F> {
  const file = join(folder, `${Math.random()}.mjs`);
  writeFileSync(file, `export const mine = ${source};`);
  return loadFunction<F>(`${file}#mine`, ".");
}

const turn = {
  tokens: Int32Array.of(1),
  blocks: Int16Array.of(-1),
  lossMask: Uint8Array.of(1),
  logProbs: Float32Array.of(0),
};
const samples = [0, 1].map((sample) => ({
  trace: {
    ...({
      version: 2,
      step: 0,
      group: 3,
      sample,
      policyVersion: 0,
      blocks: [],
      toolOutcomes: [],
      rewards: {},
    } as const),
    task: { id: "a", source: "", split: "", content: "text" },
    turns: [{ ...turn, temperature: 1, bannedIds: [], images: [], text: "a", freshPrompt: true }],
  },
  ...{ rewards: {}, penalty: 0, shapedReward: sample, referenceLogProbs: undefined },
}));

test("an advantage of one's own counts", async () => {
  const advantage = await load<AdvantageFunction>("(samples) => samples.map(({ shapedReward }) => [2 * shapedReward])");
  expect(advantagesBy(advantage, samples)).toEqual([[0], [2]]);
});

test("an advantage of one's own may be a number for each sampled token of a turn", async () => {
  const advantage = await load<AdvantageFunction>("(samples) => samples.map(({ shapedReward }) => [[shapedReward]])");
  expect(advantagesBy(advantage, samples)).toEqual([[[0]], [[1]]]);
});

test.each([
  ["() => { throw new Error('not today'); }", "module", /it throws not today/],
  ["() => undefined", "shape", /it gives no list of 2 samples/],
  ["() => [[0]]", "shape", /it gives no list of 2 samples/],
  ["() => [1, 2]", "shape", /group 3, sample 0 has 1 turns, but its advantages are 1/],
  ["() => [[0], [NaN]]", "shape", /group 3, sample 1, turn 0 has the advantage NaN; give a finite number/],
  ["() => [[0], [[1, 2]]]", "shape", /sample 1, turn 0 has 1 sampled tokens, but 2 advantages/],
  ["() => [[[1]], [[Infinity]]]", "shape", /sample 1, turn 0 has the advantage Infinity at token 0/],
])("the advantage %s is refused", async (source, code, message) => {
  const advantage = await load<AdvantageFunction>(source);
  const work = (): unknown => advantagesBy(advantage, samples);
  expect(work).toThrow(message);
  expect(work).toThrow(/the advantage function mine of .*\.mjs: /);
  expect(work).toThrow(expect.objectContaining({ code }));
});

test("a loss of one's own gives one number, or says what it gave; the device's faults are its own", async () => {
  using device = await ops.openDevice();
  const pair = device.tensor([1, 2], [2]);
  const given = { logProb: pair } as Parameters<TensorLoss>[0];
  const run = async (source: string): Promise<unknown> => ownLoss(await load<TensorLoss>(source))(given, ops);
  const total = (await run("({ logProb }, { sum }) => sum(logProb)")) as ops.Tensor;
  expect([...(await total.read())]).toEqual([3]);
  for (const [source, message] of [
    ["({ logProb }) => logProb", /it gives a tensor of shape \[2\]; give a tensor of one number/],
    ["() => 1", /it gives 1; give a tensor/],
    ["() => missing", /it throws missing is not defined/],
    ["({ logProb }, { reshape }) => reshape(logProb, [3])", /it throws /],
  ] as const) {
    await expect(run(source)).rejects.toThrow(message);
    await expect(run(source)).rejects.toThrow(/the loss function mine of .*\.mjs: /);
    await expect(run(source)).rejects.toMatchObject({ code: "module" });
  }
  await expect(run("() => missing")).rejects.toMatchObject({ cause: expect.any(ReferenceError) });
  const lost = new ops.TensorError("out_of_memory", "full");
  const failing: TensorLoss = () => {
    throw lost;
  };
  expect(() => ownLoss(failing)(given, ops)).toThrow(lost);
  total.dispose();
  pair.dispose();
});
