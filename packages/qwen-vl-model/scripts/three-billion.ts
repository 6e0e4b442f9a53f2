// pnpm test:3b [--directory d]: a checkpoint of the 3B model's shape, made of a formula, goes the whole way: written in two shards, loaded,
// prefilled with an image, decoded, trained by one LoRA step, exported. Prints seconds, GPU bytes beside the plan's, host bytes. Takes
// minutes, 16 GB of disk and 12 GB of GPU memory (on a software adapter: of memory); everything written is deleted at the end.
import { mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { deriveSeed, mean, negate, openDevice } from "@iapo/tensor-core";
import { writeSafetensorsShards } from "@iapo/tensor-core/safetensors";
import { writeConfig } from "../src/config/model-config.ts";
import { tensorTable } from "../src/config/tensor-table.ts";
import { knownConfigs, loadConfig } from "../src/config.ts";
import {
  Adapter,
  exportModel,
  joinSequences,
  loadWeights,
  packGroups,
  QwenVLModel,
  type Sequence,
  Session,
  TEXT_PROJECTIONS,
  turnSequence,
} from "../src/index.ts";
import { ropePositions } from "../src/processor/positions.ts";
import { planModel } from "../test/support/plan.ts";
import { PIECE, proceduralBf16, proceduralPixels, rangeOf } from "../test/support/procedural.ts";
import { optimizerOf, trainStep } from "../test/support/train-step.ts";

const config = { ...knownConfigs["3B"], dtype: "bfloat16" as const };
const GRID = [1, 8, 8] as const;
const TEXT_TOKENS = 83;
const DECODED = 4;
const LORA = { rank: 16, alpha: 32, targets: TEXT_PROJECTIONS };
const DISK_BYTES = 16e9;

interface Phase {
  readonly phase: string;
  readonly seconds: number;
  /** Most bytes of tensors at once in this phase. */
  readonly gpuPeakBytes: number;
  /** Most bytes of JavaScript heap and ArrayBuffers at once, sampled. */
  readonly hostPeakBytes: number;
}

const hostBytes = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** 100 tokens: text, one image of 64 patches, one more. */
function prompt(): Sequence {
  const { tokens: special, vision } = config;
  const cells = (GRID[1] * GRID[2]) / vision.spatialMergeSize ** 2;
  const text = Array.from({ length: TEXT_TOKENS }, (_, i) => 100 + i);
  const tokens = Int32Array.from([...text, ...new Array<number>(cells).fill(special.image), 0]);
  const { positions } = ropePositions(tokens, [GRID], special, vision.spatialMergeSize, 0);
  const width = vision.inChannels * vision.temporalPatchSize * vision.patchSize ** 2;
  const values = proceduralPixels(GRID[1] * GRID[2] * width);
  return { tokens, positions, images: [{ id: "procedural", grid: GRID, frames: 2, values }] };
}

async function writeCheckpoint(directory: string): Promise<void> {
  await mkdir(directory);
  const sources = tensorTable(config).map(({ name, shape }) => ({
    name,
    shape,
    dtype: "BF16" as const,
    *data() {
      const size = shape.reduce((a, b) => a * b, 1);
      for (let at = 0; at < size; at += PIECE) {
        yield new Uint8Array(proceduralBf16(name, rangeOf(name, shape), at, Math.min(PIECE, size - at)).buffer);
      }
    },
  }));
  await writeSafetensorsShards(directory, sources);
  await writeFile(join(directory, "config.json"), JSON.stringify(writeConfig(config)));
}

async function run(directory: string): Promise<object> {
  using device = await openDevice();
  const phases: Phase[] = [];
  const phase = async <T>(name: string, work: () => Promise<T> | T): Promise<T> => {
    device.pool.resetPeak();
    let hostPeak = hostBytes();
    const sampling = setInterval(() => (hostPeak = Math.max(hostPeak, hostBytes())), 20);
    const start = performance.now();
    const result = await work();
    await device.idle();
    clearInterval(sampling);
    const seconds = Math.round(performance.now() - start) / 1000;
    phases.push({
      phase: name,
      seconds,
      gpuPeakBytes: device.memory().peakBytes,
      hostPeakBytes: Math.max(hostPeak, hostBytes()),
    });
    console.error(`${name}: ${seconds} s`);
    return result;
  };

  const published = join(directory, "published");
  await phase("write", () => writeCheckpoint(published));
  const model = await phase("load", async () => {
    const loaded = await loadConfig(published);
    return new QwenVLModel(loaded, await loadWeights(device, loaded, published));
  });
  await rm(published, { recursive: true });
  model.adapter = Adapter.create(device, config, LORA, [3, 7]);
  const optimizer = optimizerOf(model);

  const sequence = prompt();
  const session = await phase("prefill", () => Session.open(model, [sequence]));
  const [turn] = await phase("decode", () =>
    session.generate({
      samples: 1,
      sampling: { temperature: 1, bannedIds: [config.tokens.image, config.tokens.video] },
      seeds: [deriveSeed("3B")],
      stop: { ids: [], maxTokens: DECODED },
    }),
  );
  session.close();
  const loss = await phase("LoRA step", async () => {
    const response = joinSequences([{ ...turnSequence(turn!), target: true }]);
    const batch = packGroups(config, [{ prompt: sequence, responses: [response] }]);
    const options = { learningRate: 1e-4, checkpoint: true };
    using made = trainStep(model, optimizer, batch, ({ logProb }) => negate(mean(logProb)), options);
    return made.item();
  });
  await phase("export", () => exportModel(model, join(directory, "exported")));

  const workload = { promptTokens: TEXT_TOKENS, images: [GRID], responses: 1, responseTokens: DECODED };
  const plan = await planModel(config, { ...workload, dtype: "bf16", train: LORA, checkpoint: true }, device.facts);
  const measured = Math.max(...phases.map(({ gpuPeakBytes }) => gpuPeakBytes));
  optimizer.dispose();
  model.dispose();
  return {
    adapter: device.facts.description,
    parameters: tensorTable(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    tokens: { prompt: sequence.tokens.length, decoded: [...turn!.tokens] },
    loss,
    phases,
    seconds: phases.reduce((sum, { seconds }) => sum + seconds, 0),
    gpuPeakBytes: measured,
    plannedPeakBytes: plan.peakBytes,
    plannedOverMeasured: plan.peakBytes / measured,
    hostPeakBytes: Math.max(...phases.map(({ hostPeakBytes }) => hostPeakBytes)),
    liveBytesAtEnd: device.memory().liveBytes,
  };
}

const { values: flags } = parseArgs({ options: { directory: { type: "string", default: tmpdir() } } });
const { bavail, bsize } = await statfs(flags.directory);
if (bavail * bsize < DISK_BYTES) {
  throw new Error(
    `${flags.directory} has ${bavail * bsize} bytes free, ${DISK_BYTES} are needed; choose another with --directory`,
  );
}
const directory = await mkdtemp(join(flags.directory, "three-billion-"));
try {
  console.log(JSON.stringify(await run(directory), null, 2));
} finally {
  await rm(directory, { recursive: true, force: true });
}
