// A group scored over one shared prompt gives what each response gives alone by an ordinary pass, whatever is packed with it.
import { DifferentiableQwenVL, initializeWeights, QwenVLModel } from "@iapo/qwen-vl-model";
import { knownConfigs } from "@iapo/qwen-vl-model/config";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AttributionError,
  attributeBlocks,
  attributeGroups,
  attributeTokens,
  attributionToJson,
  distribution,
  divergence,
  faithfulness,
  tokensOfUnits,
} from "../src/index.ts";
import { largestDifference, sumOfAbsolutes } from "./support/golden.ts";
import { evenPartition, groupOf, padRows, plainGradient, plainScore } from "./support/group.ts";

let device: Device;
const warnings: string[] = [];
beforeAll(async () => {
  device = await openDevice();
  device.warn = (message) => warnings.push(message);
});
afterAll(() => {
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

const sizes = process.env.IAPO_FULL === "1" ? (["nano", "mini"] as const) : (["nano"] as const);
const cells = sizes.flatMap((size) => (["f32", "bf16"] as const).map((dtype) => [size, dtype] as const));

describe.each(cells)("%s, %s", (size, dtype) => {
  const config = knownConfigs[size];
  const group = groupOf(config, { words: 60, images: 2, grid: [1, 4, 8], responses: [9, 1, 14] });
  const units = evenPartition(group, 5);
  let qwen: QwenVLModel;
  let model: DifferentiableQwenVL;
  beforeAll(() => {
    qwen = new QwenVLModel(config, initializeWeights(device, config, [1, 2], { dtype }));
    model = new DifferentiableQwenVL(qwen);
  });
  afterAll(() => qwen.dispose());

  test("gradient x embedding as by unshared passes", async () => {
    const shared = await attributeTokens(model, group, { kind: "grad_x_input" });
    for (const [response, { tokenScores, targetLogProb }] of shared.entries()) {
      const { tokenScores: expected } = await plainGradient(qwen, group, response);
      expect(largestDifference(tokenScores, expected) / sumOfAbsolutes(expected)).toBeLessThan(1e-5);
      expect(targetLogProb).toBe(await plainScore(qwen, group, response)); // to the bit
    }
  });

  test("checkpoints change no bit of gradient x embedding, and take less memory", async () => {
    const method = { kind: "grad_x_input" } as const;
    const peak = async (differentiable: DifferentiableQwenVL) => {
      device.pool.resetPeak();
      const results = await attributeTokens(differentiable, group, method);
      return { results, bytes: device.memory().peakBytes };
    };
    const [kept, again] = [await peak(model), await peak(new DifferentiableQwenVL(qwen, { checkpoint: true }))];
    expect(again.results).toEqual(kept.results);
    expect(again.bytes).toBeLessThan(kept.bytes);
  });

  test("occlusion as by unshared passes, to the bit", async () => {
    const results = await attributeBlocks(model, group, units, { kind: "occlusion", baseline: "pad" });
    for (const [unit, tokens] of tokensOfUnits(units).entries()) {
      using rows = padRows(model, tokens.length);
      for (const [response, { blockScores, targetLogProb }] of results.entries()) {
        const expected = targetLogProb - (await plainScore(qwen, group, response, { tokens, rows }));
        expect(blockScores[unit]).toBe(expected);
      }
    }
  });

  test("no score depends on what is packed with it, to the bit", async () => {
    const reversed = { ...group, responses: group.responses.toReversed() };
    for (const method of [{ kind: "grad_x_input" }, { kind: "occlusion" }] as const) {
      const together = await attributeBlocks(model, group, units, method);
      const other = await attributeBlocks(model, reversed, units, method);
      expect(other.toReversed().map(attributionToJson)).toEqual(together.map(attributionToJson));
      for (const [response, result] of together.entries()) {
        const alone = { ...group, responses: [group.responses[response]!] };
        const [single] = await attributeBlocks(model, alone, units, method);
        expect(attributionToJson(single!)).toEqual(attributionToJson(result));
      }
    }
    const packed = await attributeBlocks(model, group, units, { kind: "occlusion" });
    const one = await attributeBlocks(model, group, units, { kind: "occlusion", rowsPerPass: 1 });
    expect(one).toEqual(packed);
  });

  test("several prompts scored at once are each as alone, to the bit, whatever the passes", async () => {
    const other = groupOf(config, { words: 33, images: 1, grid: [1, 4, 4], responses: [5, 12] });
    const groups = [
      { input: group, partition: units },
      { input: other, partition: evenPartition(other, 3) },
      { input: group, partition: evenPartition(group, 2) },
    ];
    const { liveBytes } = device.memory();
    for (const method of [
      { kind: "occlusion" },
      { kind: "occlusion", rowsPerPass: 1 },
      { kind: "occlusion", rowsPerPass: 600 },
      { kind: "grad_norm" },
    ] as const) {
      const together = await attributeGroups(model, groups, method);
      for (const [i, { input, partition }] of groups.entries())
        expect(together[i]).toEqual(await attributeBlocks(model, input, partition, { kind: method.kind }));
    }
    expect(device.memory().liveBytes).toBe(liveBytes);
  });

  test("an image in the place of another: its own rows for its twin, another's for others, whatever the passes", async () => {
    const shape = { words: 12, images: 1, responses: [4] };
    const [small, large] = [
      groupOf(config, { ...shape, grid: [1, 4, 4] }),
      groupOf(config, { ...shape, grid: [1, 4, 8] }),
    ];
    const other = {
      ...large,
      prompt: {
        ...large.prompt,
        images: large.prompt.images.map((image) => ({ ...image, id: "other", values: image.values.map((v) => v + 1) })),
      },
    };
    const split = (input: typeof small) => ({
      input,
      partition: {
        names: ["text", "image"],
        unitOfToken: Int16Array.from(input.prompt.tokens, (id) => Number(id === config.tokens.image)),
      },
    });
    const scoresOf = async (
      groups: readonly (typeof small)[],
      baseline: "other_image" | "mean_image",
      rowsPerPass = 16_384,
    ) =>
      (await attributeGroups(model, groups.map(split), { kind: "occlusion", baseline, rowsPerPass })).map(
        ([only]) => only!.blockScores[1]!,
      );
    const twins = await scoresOf([large, large], "other_image");
    expect(twins).toEqual([0, 0]);
    const [next, , last] = await scoresOf([large, other, small], "other_image");
    expect(next).not.toBe(0);
    expect((await scoresOf([large, other], "mean_image"))[0]).toBe(next);
    expect((await scoresOf([small, large], "other_image"))[0]).toBe(last);
    expect(await scoresOf([large, other, small], "mean_image", 1)).toEqual(
      await scoresOf([large, other, small], "mean_image"),
    );
    const { liveBytes } = device.memory();
    await expect(scoresOf([large], "mean_image")).rejects.toThrow(/another prompt with an image/);
    expect(device.memory().liveBytes).toBe(liveBytes);
  });

  test("what each target token loses adds up to what the call loses", async () => {
    for (const { blockScores, targetScores } of await attributeBlocks(model, group, units, { kind: "occlusion" })) {
      expect(targetScores).toHaveLength(5);
      for (const [unit, tokens] of targetScores!.entries())
        expect(tokens.reduce((sum, value) => sum + value, 0)).toBeCloseTo(blockScores[unit]!, 10);
    }
  });

  test("a teacher equal to the student gives D = 0", async () => {
    const twin = new QwenVLModel(config, initializeWeights(device, config, [1, 2], { dtype }));
    for (const method of [{ kind: "grad_x_input" }, { kind: "occlusion" }] as const) {
      const [student, teacher] = [
        await attributeBlocks(model, group, units, method),
        await attributeBlocks(new DifferentiableQwenVL(twin), group, units, method),
      ];
      for (const [response, { blockScores }] of student.entries()) {
        const [p, q] = [distribution(blockScores), distribution(teacher[response]!.blockScores)];
        for (const kind of ["kl_student_teacher", "kl_teacher_student", "js", "tv", "l2"] as const) {
          expect(divergence(kind, p, q)).toBe(0);
        }
      }
    }
    twin.dispose();
  });
});

describe("nano", () => {
  const config = knownConfigs.nano;
  const group = groupOf(config, { words: 40, images: 1, grid: [1, 4, 4], responses: [7] });
  const units = evenPartition(group, 4);
  let model: DifferentiableQwenVL;
  beforeAll(() => {
    model = new DifferentiableQwenVL(new QwenVLModel(config, initializeWeights(device, config, [3, 4])));
  });
  afterAll(() => model.model.dispose());

  test("the curves begin and end where they must; the order decides what lies between", async () => {
    const [{ blockScores, targetLogProb }] = (await attributeBlocks(model, group, units, { kind: "occlusion" })) as [
      Awaited<ReturnType<typeof attributeBlocks>>[number],
    ];
    const { deletion, insertion } = await faithfulness(model, group, units, blockScores);
    expect(deletion.values).toHaveLength(5);
    expect(deletion.values[0]).toBe(targetLogProb);
    expect(insertion.values[4]).toBe(targetLogProb);
    expect(insertion.values[0]).toBe(deletion.values[4]);
    // The first step of a deletion takes the highest unit away, which is what its occlusion was.
    expect(deletion.values[1]).toBeCloseTo(targetLogProb - Math.max(...blockScores), 12);
    const opposite = await faithfulness(
      model,
      group,
      units,
      blockScores.map((score) => -score),
    );
    expect(opposite.deletion.values.toReversed()).toEqual(insertion.values);
    expect(opposite.deletion.area).toBeCloseTo(insertion.area, 12);
  });

  test("results survive JSON", async () => {
    const [result] = await attributeBlocks(model, group, units, { kind: "ig", steps: 3, blockReduce: "sum" });
    const json = attributionToJson(result!);
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    expect(json.blocks!.map(({ name }) => name)).toEqual(units.names);
    expect(json.tokenScores).toEqual([...result!.tokenScores!]);
    expect(json.convergence).toEqual(result!.convergence);
  });

  test("a path that is too coarse is warned about", async () => {
    warnings.length = 0;
    const [result] = await attributeTokens(model, group, { kind: "ig", quadrature: "trapezoid", steps: 2 });
    expect(result!.convergence!.relative).toBeGreaterThan(0.05);
    expect(warnings.join()).toMatch(/response 0 miss .* %/);
  });

  test("refused, with nothing left on the device", async () => {
    const { liveBytes } = device.memory();
    const silent = { ...group.responses[0]!, targets: new Uint8Array(7) };
    const calls: Promise<unknown>[] = [
      attributeTokens(model, { ...group, responses: [silent] }, { kind: "grad_x_input" }),
      attributeTokens(model, group, { kind: "ig", steps: 0 }),
      attributeTokens(model, group, { kind: "ig", stepsPerPass: 0 }),
      attributeBlocks(model, group, { ...units, unitOfToken: new Int16Array(3) }, { kind: "occlusion" }),
      faithfulness(model, group, units, [1]),
    ];
    const wrong = { input: group, partition: { ...units, unitOfToken: new Int16Array(3) } };
    calls.push(attributeGroups(model, [{ input: group, partition: units }, wrong], { kind: "occlusion" }));
    for (const call of calls) await expect(call).rejects.toThrow(AttributionError);
    expect(device.memory().liveBytes).toBe(liveBytes);
  });
});
