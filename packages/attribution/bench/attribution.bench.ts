// Attribution of a group over its shared prompt, beside one ordinary pass per response (and, for occlusion, per block and response).
import { DifferentiableQwenVL, initializeWeights, type PromptGroup, QwenVLModel } from "@iapo/qwen-vl-model";
import { knownConfigs } from "@iapo/qwen-vl-model/config";
import { type Device, openDevice } from "@iapo/tensor-core";
import type { Benchmark, Case, Library, Prepared } from "../../../tools/bench/harness/types.ts";
import { attributeBlocks, attributeTokens, tokensOfUnits } from "../src/index.ts";
import { evenPartition, groupOf, padRows, plainGradient, plainScore } from "../test/support/group.ts";

interface AttributionCase extends Case {
  readonly kind: "gradient" | "occlusion";
}

const BLOCKS = 9;

/** P 1024 (64 of them an image's), R 64, n 8. */
function group(): PromptGroup {
  const shape = { words: 960, images: 1, grid: [1, 16, 16], responses: new Array<number>(8).fill(64) } as const;
  const { prompt, responses } = groupOf(knownConfigs.mini, shape);
  return { prompt, responses: responses.map((response) => ({ ...response, targets: new Uint8Array(64).fill(1) })) };
}

const common = { unit: "steps/s", work: 1 } as const;
const benchmark: Benchmark<AttributionCase> = {
  workload: {
    name: "attribution",
    cases: [
      // Goals of the issue "attribution": at most 0.65 and 0.35 of the time.
      {
        ...common,
        kind: "gradient",
        name: "mini: gradient x embedding, P 1024, R 64, n 8",
        tolerance: 1e-5,
        goal: { ratioToBestPeer: 1 / 0.65 },
      },
      {
        ...common,
        kind: "occlusion",
        name: `mini: occlusion, P 1024, R 64, n 8, K ${BLOCKS}`,
        tolerance: 1e-6,
        goal: { ratioToBestPeer: 1 / 0.35 },
      },
    ],
    inputs: () => ({}),
    expected: () => [{ output: "quotients", indices: [0, 1], values: [1, 1] }],
  },
  baselines: { unshared: () => open(true) },
  open: () => open(false),
};
export default benchmark;

async function open(apart: boolean): Promise<Library<AttributionCase>> {
  const device = await openDevice();
  return { versions: {}, prepare: async ({ kind }) => prepare(device, kind, apart) };
}

function prepare(device: Device, kind: AttributionCase["kind"], apart: boolean): Prepared {
  const qwen = new QwenVLModel(knownConfigs.mini, initializeWeights(device, knownConfigs.mini, [1, 2]));
  const model = new DifferentiableQwenVL(qwen);
  const input = group();
  const ways = kind === "gradient" ? gradient(model, input) : occlusion(model, input);
  const run = async (): Promise<void> => void (await (apart ? ways.unshared() : ways.shared()));
  return {
    run,
    finish: () => device.idle(),
    async outputs() {
      const [got, expected] = [await ways.shared(), await ways.unshared()];
      const unit = expected.reduce((sum, value) => sum + Math.abs(value), 0) / input.responses.length;
      const worst = Math.max(...got.map((value, i) => Math.abs(value - expected[i]!))) / unit;
      return { quotients: Float32Array.of(1 - worst, 1 + worst) };
    },
    profile: () => device.profile(run),
    dispose: () => qwen.dispose(),
  };
}

/** The same numbers in two ways: response by response, scores of its tokens or blocks. */
interface Ways {
  shared(): Promise<number[]>;
  unshared(): Promise<number[]>;
}

function gradient(model: DifferentiableQwenVL, input: PromptGroup): Ways {
  return {
    shared: async () =>
      (await attributeTokens(model, input, { kind: "grad_x_input" })).flatMap(({ tokenScores }) => [...tokenScores]),
    async unshared() {
      const all: number[] = [];
      for (const response of input.responses.keys()) {
        all.push(...(await plainGradient(model.model, input, response)).tokenScores);
      }
      return all;
    },
  };
}

function occlusion(model: DifferentiableQwenVL, input: PromptGroup): Ways {
  const units = evenPartition(input, BLOCKS);
  return {
    shared: async () =>
      (await attributeBlocks(model, input, units, { kind: "occlusion", baseline: "pad" })).flatMap(
        ({ targetLogProb, blockScores }) => Array.from(blockScores, (score) => targetLogProb - score),
      ),
    async unshared() {
      const all: number[] = [];
      for (const response of input.responses.keys()) {
        for (const tokens of tokensOfUnits(units)) {
          using rows = padRows(model, tokens.length);
          all.push(await plainScore(model.model, input, response, { tokens, rows }));
        }
      }
      return all;
    },
  };
}
