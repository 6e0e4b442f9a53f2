// Units of a fleet as bytes: they come back to the bit, and bytes of a stranger are refused by name, whatever they claim.
import { unpackFrame } from "@iapo/fleet";
import type { LossConstants } from "@iapo/grpo";
import {
  type Image,
  identifyImage,
  type Task,
  type Trace,
  TraceError,
  type Turn,
  traceVersion,
} from "@iapo/rollout-trace";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { refusal } from "../../src/fleet/facts.ts";
import { packTraces, unpackTraces } from "../../src/fleet/traces.ts";
import {
  packConstants,
  packExplained,
  packRollout,
  parseConstants,
  parseExplained,
  parseRollout,
} from "../../src/fleet/units.ts";

const runs = process.env.IAPO_FULL === "1" ? 10_000 : 600;
let chart: Image;
let edited: Image;
let task: Task<{ image: Image; question: string }>;
beforeAll(async () => {
  const picture = (seed: number) =>
    identifyImage({ width: 4, height: 3, channels: 3, data: Uint8Array.from({ length: 36 }, (_, i) => i * seed) });
  [chart, edited] = [await picture(1), await picture(7)];
  task = { id: "t-1", source: "nano", split: "train", content: { image: chart, question: "which?" } };
});

function traceOf(sample: number): Trace<Image, { image: Image; question: string }> {
  const turn: Turn = {
    ...{ tokens: Int32Array.of(5, 6, 7 + sample), blocks: Int16Array.of(0, 1, -1), lossMask: Uint8Array.of(0, 0, 1) },
    ...{
      logProbs: Float32Array.of(-0.1 - sample),
      temperature: 0.9,
      bannedIds: [3],
      text: "ok",
      finish: "stop",
      freshPrompt: true,
    },
    ...{ images: [chart], positions: Int32Array.from({ length: 9 }, (_, i) => i), patches: ["0".repeat(64)] },
  };
  return {
    ...{ version: traceVersion, step: 2, group: 5, sample, policyVersion: 4, task },
    blocks: [
      { id: "image", kind: "image", image: chart },
      { id: "query", kind: "query", text: "which?" },
    ],
    turns: [turn],
    toolOutcomes: [{ status: "ok", tools: ["crop"], keys: [], unknownKeys: [], changed: true, image: edited }],
    rewards: { outcome: 0.1 + 0.2, tool: 1e-300 },
  };
}

const asked = () => ({ step: 2, group: 5, tasks: [task], samples: 3, version: 4 });

test("a rollout comes back to the bit, with the learner's task and the pictures that tools made", async () => {
  const failures = [{ group: 5, sample: 2, task: "t-1", message: "no answer", cause: "no answer" }];
  const groups = [[traceOf(0), traceOf(1)]];
  const bytes = packRollout({ groups, failures }, [task]);
  expect(packRollout({ groups, failures }, [task])).toEqual(bytes);
  expect(await parseRollout(bytes, asked())).toEqual({ groups, failures });
  expect([...unpackFrame(bytes).arrays.keys()], "a picture of the task stays at home").toEqual([edited.id]);
  expect(await unpackTraces(unpackFrame(packTraces(groups.flat())))).toEqual(groups.flat());
});

test("a rollout of another place, of another version, with too few samples or other pixels is refused", async () => {
  const good = packRollout({ groups: [[traceOf(0), traceOf(1), traceOf(2)]], failures: [] }, [task]);
  await parseRollout(good, asked());
  for (const other of [
    { step: 3 },
    { group: 6 },
    { version: 5 },
    { samples: 4 },
    { samples: 2 },
    { tasks: [{ ...task, id: "t-2" }] },
  ])
    await expect(parseRollout(good, { ...asked(), ...other }), JSON.stringify(other)).rejects.toMatchObject({
      code: "invalid",
    });
  const changed = Uint8Array.from(good);
  changed[changed.length - 5] = 1; // the last pixels of the picture that the tool made
  await expect(parseRollout(changed, asked())).rejects.toThrow(/other pixels/);
});

test("scores and constants come back to the bit", () => {
  const groups = [[{ logProb: -0.1, scores: [0.1, -0, 3e-310] }, undefined], [undefined]];
  expect(parseExplained(packExplained(groups), [2, 1])).toEqual(groups);
  expect(() => parseExplained(packExplained(groups), [2, 2])).toThrow(/other groups/);
  expect(() => parseExplained(packExplained([[{ logProb: Number.NaN, scores: [] }]]), [1])).toThrow(/not finite/);
  const constants: LossConstants = {
    ...{ offsets: Int32Array.of(0, 1, 2), mask: Uint8Array.of(1, 0), oldLogProbs: Float32Array.of(-1, -2) },
    ...{ advantages: Float64Array.of(1 / 3, -0), tokenWeights: Float64Array.of(0.1, 0.2) },
    ...{ importance: undefined, referenceLogProbs: Float32Array.of(-3, -4) },
  };
  expect(parseConstants(packConstants(constants))).toEqual(constants);
});

test("bytes of a stranger are refused, and nothing else happens", { timeout: 300_000 }, async () => {
  const rollout = packRollout({ groups: [[traceOf(0), traceOf(1), traceOf(2)]], failures: [] }, [task]);
  const explained = packExplained([[{ logProb: -1, scores: [1, 2] }]]);
  const attempt = async (work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const isKnown =
        (error as { code?: string }).code === "invalid" || error instanceof z.ZodError || error instanceof TraceError;
      if (!isKnown) throw error;
    }
  };
  const changes = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(40), async (list, cut) => {
      for (const [bytes, read] of [
        [rollout, (given: Uint8Array) => parseRollout(given, asked())],
        [explained, (given: Uint8Array) => parseExplained(given, [1])],
        [explained, parseConstants],
      ] as const) {
        const broken = Uint8Array.from(bytes.subarray(0, bytes.length - cut));
        for (const [place, value] of list) broken[place % broken.length] = value;
        await attempt(() => read(broken));
      }
    }),
    { numRuns: runs },
  );
});

test("a worker's facts that differ are named, an adapter's only where it alone may differ", () => {
  const own = {
    kernels: "scalar",
    adapter: "llvmpipe",
    "version of @iapo/grpo": "1.0.0",
    "content of model/model.safetensors": "a".repeat(64),
  };
  expect(refusal(own, { ...own }, false)).toBeUndefined();
  expect(refusal(own, { ...own, adapter: "another" }, false)).toMatch(
    /adapter is another, the learner's llvmpipe; --mixed/,
  );
  expect(refusal(own, { ...own, adapter: "another" }, true)).toBeUndefined();
  const other = { ...own, kernels: "subgroups", "content of model/model.safetensors": "b".repeat(64) };
  expect(refusal(own, other, true)).toMatch(/content of model\/model.safetensors is b{12}, .*kernels is subgroups/);
  expect(refusal(own, 7, true)).toMatch(/does not say/);
});
