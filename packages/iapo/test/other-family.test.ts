// A teacher of another family (Qwen3-VL) and a student (Qwen2.5-VL) with one tokenizer: its own rendering of the prompt, the call's own ids.
import type { BlockMethod } from "@iapo/attribution";
import { baseDirectory } from "@iapo/nano-vl";
import { DifferentiablePolicy, initializeWeights, QwenVLModel, QwenVLPolicy } from "@iapo/qwen-vl-model";
import { knownConfigs, parsePreprocessorConfig, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { loadProcessor, Processor } from "@iapo/qwen-vl-model/processor";
import { type Device, deriveSeed, openDevice } from "@iapo/tensor-core";
import type { VisualTask } from "@iapo/vqa-tasks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { iapoPresets } from "../src/config.ts";
import { type Call, CallCache, findCall, promptUnits, scoreCalls, TeacherCalls } from "../src/index.ts";
import { rereadBy } from "../src/scoring/reread.ts";
import { chartPrompt, chartTasks, type Nano, nanoModel, programFor, teacherOf, turnsOf } from "./support/models.ts";

let device: Device;
let student: Nano;
let other: Nano;
let task: VisualTask;
beforeAll(async () => {
  device = await openDevice();
  student = await nanoModel(device, { seed: 1 });
  other = await qwen3Nano(device);
  task = await chartTasks.task(0);
});
afterAll(() => {
  for (const { policy } of [student, other]) policy.model.dispose();
  device.close();
});

/** The nano shape of Qwen3-VL with the student's tokenizer, and patches of another size. */
async function qwen3Nano(device: Device): Promise<Nano> {
  const { config, tokenizer, stopIds } = await loadProcessor(baseDirectory);
  const shape = knownConfigs["qwen3-vl-nano"];
  const own: QwenVLConfig = {
    ...shape,
    text: { ...shape.text, vocabSize: config.text.vocabSize, maxPositionEmbeddings: 4096 },
    vision: { ...shape.vision, patchSize: 8 },
    tokens: config.tokens,
  };
  const preprocessor = parsePreprocessorConfig({ min_pixels: 1024, max_pixels: 50_176 }, own);
  const weights = initializeWeights(device, own, deriveSeed("other-family", 1), { deviation: "fan_in" });
  const processor = new Processor({ config: own, preprocessor, tokenizer, stopIds });
  const policy = new QwenVLPolicy(new QwenVLModel(own, weights), processor);
  return { policy, model: new DifferentiablePolicy(policy) };
}

const perTool = { kind: "per_tool" } as const;
const callsOf = (nano: Nano): Call[] =>
  turnsOf(nano, task, [programFor(task), "```python\ndisplay(image_1)\n```\n"]).map(
    (turn) => findCall(turn, "code", student.model)!,
  );
const methods: BlockMethod[] = [
  { kind: "grad_x_input" },
  { kind: "grad_norm" },
  { kind: "ig", steps: 2 },
  { kind: "occlusion" },
];

test("a model reads its own turns as they are", () => {
  const calls = callsOf(student);
  expect(student.model.reread(calls, chartPrompt(task))).toBe(calls);
  expect(student.model.reread([], chartPrompt(task))).toEqual([]);
});

test("ids, targets and names of blocks are the student's; prompt, positions and patches the teacher's", () => {
  const blocks = chartPrompt(task);
  const calls = callsOf(student);
  const units = promptUnits(blocks, calls[0]!.turn, perTool);
  const read = rereadBy(other.model, { calls: [undefined, ...calls], units }, blocks, perTool);
  expect(read.units.names).toEqual(units.names);
  expect(read.units.unitOfToken.length).not.toBe(units.unitOfToken.length);
  expect(read.calls[0]).toBeUndefined();
  for (const [i, { turn, targets }] of calls.entries()) {
    const own = read.calls[i + 1]!;
    const idsOf = (call: Call) => [...call.turn.tokens].filter((_, k) => call.targets[k] === 1);
    expect(idsOf(own)).toEqual([...turn.tokens].filter((_, k) => targets[k] === 1));
    expect(own.turn.patches).not.toEqual(turn.patches);
    expect(own.turn.images).toEqual(turn.images);
  }
});

test.each(methods)(
  "$kind: scores of the student's calls are those of a turn that the teacher was given",
  async (method) => {
    const blocks = chartPrompt(task);
    const calls = callsOf(student);
    const units = promptUnits(blocks, calls[0]!.turn, perTool);
    const read = rereadBy(other.model, { calls, units }, blocks, perTool);
    const scored = await scoreCalls(
      other.model,
      read.calls.flatMap((call) => call ?? []),
      read.units,
      method,
    );
    const given = callsOf(other);
    const expected = await scoreCalls(other.model, given, promptUnits(blocks, given[0]!.turn, perTool), method);
    expect(scored).toEqual(expected);
    expect(scored[0]!.blockScores.length).toBe(units.names.length);
    // Without its own rendering it would refuse, not guess.
    await expect(scoreCalls(other.model, calls, units, method)).rejects.toThrow("other patches");
  },
);

test("it writes a call of its own, which is kept under a key of its own", async () => {
  const settings = { ...iapoPresets.occlusion, teacherTemperature: 0 };
  const options = { settings, seed: 1, maxTokens: 12 };
  const made = await Promise.all(
    [student, other].map((nano, i) =>
      new TeacherCalls(teacherOf(nano, `${i}`), options, new CallCache(undefined, () => {})).to([chartPrompt(task)]),
    ),
  );
  const [own, others] = made.map(([call]) => call!);
  expect(others!.names).toEqual(own!.names);
  expect(others!.scores.every(Number.isFinite)).toBe(true);
});

test("turns of other prompts, and pictures that no turn holds, are refused", async () => {
  const [call] = callsOf(student);
  const [stranger] = turnsOf(student, await chartTasks.task(1), [programFor(task)]);
  const foreign = { turn: stranger!, targets: stranger!.lossMask };
  expect(() => other.model.reread([call!, foreign], chartPrompt(task))).toThrow("the same prompt");
  const bare = { ...call!, turn: { ...call!.turn, images: [] } };
  expect(() => other.model.reread([bare], chartPrompt(task))).toThrow("does not hold the picture");
});
