// Training steps of which no two have the same lengths, on a planning device: what the pool then reserves.
import { type Device, deriveSeed, type MemoryReport, mean, negate } from "@iapo/tensor-core";
import type { QwenVLConfig } from "../../src/config/types.ts";
import {
  Adapter,
  joinSequences,
  packGroups,
  QwenVLModel,
  type ResponseSequence,
  type Sequence,
  Session,
  TEXT_PROJECTIONS,
  Weights,
} from "../../src/index.ts";
import { type EncodedImage, nextPositionOf } from "../../src/model/pack.ts";
import { ropePositions } from "../../src/processor/positions.ts";
import { optimizerOf, trainStep } from "./train-step.ts";

export interface VariedSteps {
  readonly steps: number;
  /** Responses of the one group, and how many of them an update takes at once. */
  readonly group: number;
  readonly perPiece: number;
  readonly grid: readonly [number, number, number];
  /** Text of the prompt, the first and the second turn: tokens at least, and how many more there may be. */
  readonly text: Readonly<Record<"prompt" | "first" | "second", readonly [least: number, more: number]>>;
}

/** After each step; peaks are those since the beginning. LoRA of rank 16, layers computed again in the backward pass, edited images. */
export async function variedSteps(
  device: Device,
  config: QwenVLConfig,
  { steps, group, perPiece, grid, text }: VariedSteps,
): Promise<MemoryReport[]> {
  const model = new QwenVLModel(config, Weights.allocate(device, config, "bf16"));
  model.adapter = Adapter.create(device, config, { rank: 16, alpha: 32, targets: TEXT_PROJECTIONS }, [0, 0]);
  const optimizer = optimizerOf(model);
  const { vision, tokens: special } = config;
  let [images, state] = [0, 1];
  const upTo = (most: number): number => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return Math.floor((most * state) / 0x80000000);
  };
  const image = (): EncodedImage => ({
    ...{ id: `image ${images++}`, grid, frames: 1 },
    values: new Float32Array(grid[0] * grid[1] * grid[2] * vision.inChannels * vision.patchSize ** 2),
  });
  const sequence = (words: number, shown: readonly EncodedImage[], start: number): Sequence => {
    const ids = Array.from({ length: words }, (_, i) => i % 4);
    const cells = (grid[0] * grid[1] * grid[2]) / vision.spatialMergeSize ** 2;
    for (const _ of shown) ids.push(...new Array<number>(cells).fill(special.image), 0);
    const tokens = Int32Array.from(ids);
    const grids = shown.map(() => grid);
    const { positions } = ropePositions(tokens, grids, special, vision.spatialMergeSize, start);
    return { tokens, images: shown, positions };
  };
  const reports: MemoryReport[] = [];
  for (let step = 0; step < steps; step++) {
    const length = ([least, more]: readonly [number, number]): number => least + upTo(more);
    const [words, first, second] = [length(text.prompt), length(text.first), length(text.second)];
    const prompt = sequence(words, [image()], 0);
    const turn = (name: string, maxTokens: number) => ({
      ...{ samples: group, sampling: { temperature: 1 }, stop: { ids: [], maxTokens } },
      seeds: Array.from({ length: group }, (_, i) => deriveSeed(name, i)),
    });
    const session = await Session.open(model, [prompt]);
    await session.generate(turn("first", first));
    await session.append(Array.from({ length: group }, () => sequence(20, [image()], nextPositionOf(prompt) + first)));
    await session.generate(turn("second", second));
    session.close();
    device.trim();
    const response = (): ResponseSequence => {
      let start = nextPositionOf(prompt);
      const part = (words: number, shown: readonly EncodedImage[], target: boolean) => {
        const made = { ...sequence(words, shown, start), target };
        start = nextPositionOf(made);
        return made;
      };
      const written = (most: number, [, more]: readonly [number, number]) => part(most - upTo(more / 2), [], true);
      return joinSequences([written(first, text.first), part(20, [image()], false), written(second, text.second)]);
    };
    for (let done = 0; done < group; done += perPiece) {
      const batch = packGroups(config, [{ prompt, responses: Array.from({ length: perPiece }, response) }]);
      trainStep(model, optimizer, batch, ({ logProb }) => negate(mean(logProb)), {
        ...{ learningRate: 0, checkpoint: true },
      }).dispose();
    }

    device.trim();
    reports.push(device.memory());
  }
  optimizer.dispose();
  model.dispose();
  return reports;
}
