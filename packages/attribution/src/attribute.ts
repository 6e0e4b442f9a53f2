// From a prompt with responses to scores of its tokens or blocks, one result for each response.

import { baselineRows } from "./baseline.ts";
import { at, matrixShape } from "./checked.ts";
import { AttributionError } from "./error.ts";
import { blockScores, type Partition, quadrature, tokenScores } from "./math/index.ts";
import type {
  BlockAttribution,
  BlockMethod,
  Convergence,
  IntegratedGradients,
  TokenAttribution,
  TokenMethod,
} from "./methods.ts";
import type { DifferentiableModel, Embedded } from "./model.ts";
import { occlusionOfAll } from "./occlusion.ts";
import { pathGradients } from "./path-gradients.ts";
import { pipelined } from "./pipelined.ts";
import { replacedScores } from "./replaced.ts";

type Model = DifferentiableModel<never>;

/** A share of S(prompt) - S(baseline) that a convergence delta should stay below. */
const warnAbove = 0.05;

/**
 * Scores every prompt token for each response.
 * @throws AttributionError `span` for a response without target tokens, `argument`, `baseline`
 */
export async function attributeTokens<Input>(
  model: DifferentiableModel<Input>,
  input: Input,
  method: TokenMethod,
): Promise<TokenAttribution[]> {
  using embedded = open(model, input);
  return await ofTokens(model, embedded.value, method);
}

/** A prompt with responses, and the units that its tokens are scored in. */
export interface PartitionedInput<Input> {
  readonly input: Input;
  readonly partition: Partition;
}

/**
 * Scores the units of a partition of the prompt for each response.
 * @throws AttributionError as `attributeTokens`, `shape` where the partition is not of this prompt
 */
export async function attributeBlocks<Input>(
  model: DifferentiableModel<Input>,
  input: Input,
  partition: Partition,
  method: BlockMethod,
): Promise<BlockAttribution[]> {
  return at(await attributeGroups(model, [{ input, partition }], method), 0);
}

/**
 * `attributeBlocks` of several prompts, to the bit. By occlusion they share passes; by the other methods they follow one another, and one is
 * recorded while the device is at work on the one before.
 * @throws AttributionError as `attributeBlocks`
 */
export function attributeGroups<Input>(
  model: DifferentiableModel<Input>,
  groups: readonly PartitionedInput<Input>[],
  method: BlockMethod,
): Promise<BlockAttribution[][]> {
  if (method.kind === "occlusion") {
    const opened = (group: PartitionedInput<Input>) => openPartitioned(model, group);
    return occlusionOfAll(model, groups, opened, method);
  }
  const { blockReduce = "mean" } = method;
  return pipelined(groups, async (group) => {
    using embedded = openPartitioned(model, group);
    return (await ofTokens(model, embedded.value, method)).map((result) => ({
      ...result,
      names: group.partition.names,
      blockScores: blockScores(result.tokenScores, group.partition, blockReduce),
    }));
  });
}

function openPartitioned<Input>(
  model: DifferentiableModel<Input>,
  { input, partition }: PartitionedInput<Input>,
): ReturnType<typeof open> {
  const embedded = open(model, input);
  const [tokens] = matrixShape(embedded.value.embeddings);
  if (partition.unitOfToken.length === tokens) return embedded;
  embedded.value.dispose();
  throw new AttributionError("shape", `a partition of ${partition.unitOfToken.length} tokens came with ${tokens}`);
}

function open<Input>(model: DifferentiableModel<Input>, input: Input): { value: Embedded; [Symbol.dispose](): void } {
  const value = model.embed(input);
  const empty = value.targets.indexOf(0);
  if (empty >= 0) {
    value.dispose();
    throw new AttributionError("span", `response ${empty} has no target token: leave it out, or mark its span`);
  }
  return { value, [Symbol.dispose]: () => value.dispose() };
}

async function ofTokens(model: Model, embedded: Embedded, method: TokenMethod): Promise<TokenAttribution[]> {
  if (method.kind === "ig") return integrated(model, embedded, method);
  const endpoint = { nodes: Float64Array.of(1), weights: Float64Array.of(1) };
  const { gradients, scores } = await pathGradients(model, embedded, endpoint);
  const embeddings = await embedded.embeddings.values();
  const [, width] = matrixShape(embedded.embeddings);
  return gradients.map((gradient, response) => ({
    method: method.kind,
    targetLogProb: at(at(scores, response), 0),
    tokenScores:
      method.kind === "grad_norm"
        ? tokenScores(gradient, undefined, width, "l2")
        : tokenScores(gradient, embeddings, width, method.tokenReduce ?? "dot"),
  }));
}

async function integrated(model: Model, embedded: Embedded, method: IntegratedGradients): Promise<TokenAttribution[]> {
  const { tokenReduce = "dot", quadrature: rule = "gauss_legendre", steps = 32 } = method;
  const [tokens, width] = matrixShape(embedded.embeddings);
  const stepsPerPass = method.stepsPerPass ?? Math.max(1, Math.floor(2048 / tokens));
  if (!Number.isInteger(stepsPerPass) || stepsPerPass < 1) {
    throw new AttributionError("argument", `stepsPerPass is a whole number from 1 on, not ${stepsPerPass}`);
  }
  const path = quadrature(rule, steps);
  using baseline = baselineRows(model, embedded, method.baseline ?? "mean_by_kind");
  const { gradients } = await pathGradients(model, embedded, path, baseline, stepsPerPass);
  const all = Array.from({ length: tokens }, (_, token) => token);
  const { whole, variants } = await replacedScores(model, embedded, baseline, [all]);
  const [from, to] = [await baseline.values(), await embedded.embeddings.values()];
  const distance = Float64Array.from(to, (value, i) => value - at(from, i));
  return gradients.map((gradient, response) => {
    const signed = tokenScores(gradient, distance, width, "dot");
    const score = at(whole, response).sum;
    const change = score - at(at(variants, 0), response).sum;
    const convergence = convergenceOf(signed, change);
    if (convergence.relative > warnAbove) {
      const percent = (100 * convergence.relative).toFixed(1);
      model.device.warn(
        `attribution: integrated gradients of response ${response} miss ${percent} % of the change of ${change.toFixed(3)}: take more steps than ${steps}, or another baseline`,
      );
    }
    return {
      method: "ig",
      targetLogProb: score,
      tokenScores: tokenReduce === "dot" ? signed : tokenScores(gradient, distance, width, tokenReduce),
      convergence,
    };
  });
}

function convergenceOf(scores: Float64Array, change: number): Convergence {
  const delta = scores.reduce((sum, score) => sum + score, 0) - change;
  return { delta, relative: delta === 0 ? 0 : Math.abs(delta / change) };
}
