// Calls in recorded turns, and their block scores by real models on the GPU.
import type { BlockAttribution, BlockMethod } from "@iapo/attribution";
import { baseDirectory } from "@iapo/nano-vl";
import { loadProcessor, type Processor } from "@iapo/qwen-vl-model/processor";
import { type Device, openDevice } from "@iapo/tensor-core";
import { withFailingAllocations } from "@iapo/tensor-core/testing";
import type { VisualTask } from "@iapo/vqa-tasks";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { iapoPresets } from "../src/config.ts";
import {
  type Call,
  type CallTarget,
  callDivergence,
  findCall,
  promptUnits,
  scoreCalls,
  scoreGroups,
} from "../src/index.ts";
import { callParts } from "../src/scoring/call-parts.ts";
import { chartPrompt, chartTasks, type Nano, nanoModel, programFor, turnsOf } from "./support/models.ts";

let device: Device;
let student: Nano;
let teacher: Nano;
let wide: Nano;
let processor: Processor;
let task: VisualTask;
beforeAll(async () => {
  device = await openDevice();
  student = await nanoModel(device, { seed: 1 });
  teacher = await nanoModel(device, { seed: 2 });
  wide = await nanoModel(device, { seed: 3, wide: true });
  processor = await loadProcessor(baseDirectory);
  task = await chartTasks.task(0);
});
afterAll(() => {
  for (const { policy } of [student, teacher, wide]) policy.model.dispose();
  device.close();
});

describe("the call of a turn", () => {
  const spanOf = (text: string, target: CallTarget = "code"): string | undefined => {
    const [turn] = turnsOf(student, task, [text]);
    const call = findCall(turn!, target, student.model);
    return call && processor.tokenizer.decode(turn!.tokens.filter((_, i) => call.targets[i] === 1));
  };

  test.each([
    ["```python\ndisplay(image_1)\n```\nyes ```python\nother```", "\ndisplay(image_1)\n"],
    ["so: ```python\nx = 1", "\nx = 1"],
    ["```python\nx = 1\n```\n```py\ndisplay(image_1)\n```", "\ndisplay(image_1)\n"],
    ["a ```python block:\n```\ndisplay(image_1)\n```", "\ndisplay(image_1)\n"],
    ["no program", undefined],
    ["``` plain ```", undefined],
    ["```python```", undefined],
    ["```python \n ```", undefined],
    ['é ü ```python\ndisplay("é")\n``` é', '\ndisplay("é")\n'],
  ])("%j", (text, program) => {
    const span = spanOf(text);
    // The end token of an unclosed block belongs to it.
    expect(span?.replace("<|im_end|>", "")).toEqual(program);
  });

  test.each([
    ['focus_on_rows_with_mask(image_1, ["a"], rows_bbox)', "focus_on_rows_with_mask", '(image_1, ["a"], rows_bbox)'],
    ['x = mask (image_1, ["f(x)"], {"a": (1)})\nx', "mask", '(image_1, ["f(x)"], {"a": (1)})'],
    ['display(mask(draw(image_1, "a"), "b"))', "maskdraw", '((image_1, "a"), "b")'],
    ["display(image_1)", "", ""],
    ['mask(image_1, "a # (', "mask", '(image_1, "a # ('],
    ["# mask(a)\nx = (1)", "", ""],
    ["mask(a)(b)", "mask", "(a)"],
  ])("names and arguments of %s", (code, name, given) => {
    const parts = callParts(code);
    const of = (part: number): string => [...code].filter((_, i) => parts[i] === part).join("");
    expect([of(1), of(2)]).toEqual([name, given]);
  });

  test("name and argument tokens are explained apart, from the same passes", async () => {
    const [turn] = turnsOf(student, task, [programFor(task)]);
    const [code, name, given] = (["code", "call_name", "call_arguments"] as const).map(
      (target) => findCall(turn!, target, student.model)!,
    );
    const units = promptUnits(chartPrompt(task), turn!, { kind: "by_type" });
    const scored = await scoreCalls(student.model, [code!, name!, given!], units, { kind: "occlusion" });
    const places = [...code!.targets.keys()].filter((i) => code!.targets[i] === 1);
    for (const [i, call] of [name!, given!].entries()) {
      const own = places.flatMap((place, k) => (call.targets[place] ? [k] : []));
      expect(own.length).toBeGreaterThan(0);
      for (const [unit, tokens] of scored[i + 1]!.targetScores!.entries())
        expect([...tokens]).toEqual(own.map((k) => scored[0]!.targetScores![unit]![k]));
    }
  });

  test("a program that calls no tool is explained whole", () => {
    const text = "```python\ndisplay(image_1)\n```";
    expect(spanOf(text, "call_name")).toBe(spanOf(text, "code"));
    expect(spanOf(`\`\`\`python\n${"focus_on_rows_with_mask(image_1)"}\n\`\`\``, "call_name")).toContain(
      "focus_on_rows",
    );
  });

  test("turn1 is all that was written; the prompt is never part of a call", () => {
    expect(spanOf("no program", "turn1")).toMatch(/^no program/);
    const [turn] = turnsOf(student, task, [programFor(task)]);
    const { targets } = findCall(turn!, "code", student.model)!;
    expect(targets.subarray(0, turn!.lossMask.indexOf(1)).includes(1)).toBe(false);
  });
});

const methods: BlockMethod[] = [
  { kind: "grad_x_input", tokenReduce: "dot", blockReduce: "mean" },
  { kind: "grad_norm", blockReduce: "mean" },
  { kind: "ig", steps: 2 },
  { kind: "occlusion" },
];

describe.each(methods)("$kind", (method) => {
  const callsOf = (): Call[] => {
    const texts = [programFor(task), "```python\ndisplay(image_1)\n```\n", "```python\nx\n```", programFor(task)];
    return turnsOf(student, task, texts).map((turn) => findCall(turn, "code", student.model)!);
  };
  const unitsOf = ({ turn }: Call) => promptUnits(chartPrompt(task), turn, { kind: "per_tool" });

  test("does not depend on what is packed with a call, to the bit; equal calls have equal scores", async () => {
    const calls = callsOf();
    const units = unitsOf(calls[0]!);
    const group = { calls: [calls[0], undefined, ...calls.slice(1)], units };
    const [together = [], none] = await scoreGroups(student.model, [group, { calls: [undefined], units }], method);
    expect(none).toEqual([undefined]);
    expect(together[1]).toBeUndefined();
    const scored = together.filter((result) => result !== undefined);
    expect(scored[3]).toEqual(scored[0]);
    expect(scored[1]!.blockScores).not.toEqual(scored[0]!.blockScores);
    for (const [i, call] of calls.slice(0, 3).entries()) {
      const [alone] = await scoreCalls(student.model, [call], units, method);
      expect(alone).toEqual(scored[i]);
    }
  });

  test("where memory runs out, calls are scored in halves, to the same bits", async () => {
    const calls = callsOf();
    const units = unitsOf(calls[0]!);
    let made: BlockAttribution[] = [];
    const score = async (): Promise<void> => {
      made = await scoreCalls(student.model, calls, units, method);
    };
    await score();
    const expected = made;
    await withFailingAllocations(device, { from: 100, count: 2 }, score);
    expect(made).toEqual(expected);
  });

  test("D is 0 where the teacher is the student, and above 0 for others, also of another hidden size", async () => {
    const [call] = callsOf();
    const units = unitsOf(call!);
    const scores = async ({ model }: Nano) => (await scoreCalls(model, [call!], units, method))[0]!.blockScores;
    const [own, again, other, larger] = [
      await scores(student),
      await scores(student),
      await scores(teacher),
      await scores(wide),
    ];
    expect(callDivergence(own, again, iapoPresets.paper)).toBe(0);
    expect(callDivergence(own, other, iapoPresets.paper)).toBeGreaterThan(1e-4);
    expect(callDivergence(own, larger, iapoPresets.paper)).toBeGreaterThan(1e-4);
  });
});

test("turns of different prompts, and patches that a model's processor would not make, are refused", async () => {
  const others = turnsOf(student, await chartTasks.task(1), ["```python\nx\n```"]);
  const turns = [...turnsOf(student, task, ["```python\nx\n```"]), ...others];
  const calls = turns.map((turn) => findCall(turn, "code", student.model)!);
  const units = promptUnits(chartPrompt(task), turns[0]!, { kind: "per_tool" });
  const method = { kind: "occlusion" } as const;
  await expect(scoreCalls(student.model, calls, units, method)).rejects.toThrow("the same prompt");
  const [{ turn, targets }] = calls as [Call];
  const stranger = { turn: { ...turn, patches: ["0".repeat(64)] }, targets };
  await expect(scoreCalls(student.model, [stranger], units, method)).rejects.toThrow("other patches");
});
