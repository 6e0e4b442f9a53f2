// Compiles the kernels of a step of the 3B model (prompt with an image, decoding, update of an adapter) as real GPUs get them, by the driver that
// Vulkan finds. Prints the name of each in a line of its own, in the order of compiling. `tools/checks/gpu-compile.ts` runs it.
import {
  deriveSeed,
  type Kernel,
  type LogProbs,
  type MatrixUnit,
  matmul,
  mean,
  negate,
  openDevice,
  planningDevice,
  typicalCard,
} from "@iapo/tensor-core";
import { knownConfigs } from "../src/config.ts";
import { Adapter, packGroups, QwenVLModel, Session, TEXT_PROJECTIONS, Weights, workloadGroup } from "../src/index.ts";
import { optimizerOf, trainStep } from "../test/support/train-step.ts";

const IMAGE = [1, 54, 74] as const;
const config = knownConfigs["3B"];

const device = await openDevice({ family: "matrix" });
const { gpu } = device;
if (!gpu) throw new Error("a device that is opened has a GPU");
console.log(`adapter: ${device.facts.description}`);

const kernels = new Map<string, Kernel>(); // by text
await addKernels({ lora: true, responses: 8 });
await addKernels({ lora: true, responses: 1 });
await addKernels({ lora: false, responses: 2 });
await addKernels({ lora: true, responses: 8, base: "int8" });
await addKernels({ lora: true, responses: 1, base: "int8" });
await addKernels({ lora: true, responses: 8, matrices: device.facts.matrices });
await addKernels({ lora: true, responses: 8, base: "int8", matrices: device.facts.matrices });
addGradient(device.facts.matrices);

for (const kernel of kernels.values()) {
  const reads = Object.keys(kernel.reads).length;
  const count = reads + Object.keys(kernel.writes).length;
  const entries = Array.from({ length: count }, (_, binding): GPUBindGroupLayoutEntry => {
    return { binding, visibility: 4, buffer: { type: binding < reads ? "read-only-storage" : "storage" } };
  });
  entries.push({ binding: count, visibility: 4, buffer: { type: "uniform", hasDynamicOffset: true } });
  const layout = gpu.createPipelineLayout({ bindGroupLayouts: [gpu.createBindGroupLayout({ entries })] });
  const compute = { module: gpu.createShaderModule({ code: kernel.wgsl }), entryPoint: "main" };
  console.log(`kernel: ${kernel.name}`);
  await gpu.createComputePipelineAsync({ layout, compute });
}
process.exit(0); // a device that runs nothing is never idle

/** Those of a group's generation and, with an adapter, of its update. */
async function addKernels({
  lora,
  responses,
  base,
  matrices = null,
}: {
  readonly lora: boolean;
  readonly responses: number;
  readonly base?: "int8";
  readonly matrices?: MatrixUnit | null;
}): Promise<void> {
  using planning = planningDevice(matrices ? { ...typicalCard, family: "matrix", matrices } : typicalCard);
  planning.onPlannedDispatch = (kernel) => kernels.set(kernel.wgsl, kernel);
  const model = new QwenVLModel(
    config,
    Weights.allocate(planning, config, "bf16", () => false, base),
  );
  if (lora)
    model.adapter = Adapter.create(planning, config, { rank: 16, alpha: 32, targets: TEXT_PROJECTIONS }, [0, 0]);
  const group = workloadGroup(config, { promptTokens: 500, images: [IMAGE], responses, responseTokens: 64 });
  using session = await Session.open(model, [group.prompt]);
  const seeds = Array.from({ length: responses }, (_, i) => deriveSeed("kernels", i));
  const sampling = { temperature: 1, topP: 0.9 };
  await session.generate({ samples: responses, sampling, seeds, stop: { ids: [], maxTokens: 2 } });
  if (lora) {
    const optimizer = optimizerOf(model);
    const loss = ({ logProb }: LogProbs) => negate(mean(logProb));
    trainStep(model, optimizer, packGroups(config, [group]), loss, { learningRate: 0, checkpoint: true }).dispose();
    optimizer.dispose();
  }
  model.dispose();
}

/** Those of a whole weight's gradient by tensor cores. */
function addGradient(matrices: MatrixUnit | null): void {
  using planning = planningDevice({ ...typicalCard, family: "matrix", matrices });
  planning.onPlannedDispatch = (kernel) => kernels.set(kernel.wgsl, kernel);
  const { hiddenSize } = config.text;
  const [x, g] = [planning.empty([1024, hiddenSize]), planning.empty([1024, hiddenSize])];
  matmul(g, x, { transposeA: true }).dispose();
  for (const tensor of [x, g]) tensor.dispose();
}
