// A layer of the decoder in fewer, larger kernels, for passes that fill a cache and are on no tape: rollouts. To the bits of `attend` and `feedForward`,
// which training runs.
import {
  attention,
  type LowRankUpdate,
  linearTogether,
  type Prologue,
  ropeIntoCache,
  scope,
  stackOf,
  type Tensor,
  type TogetherOptions,
  takesUpdate,
} from "@iapo/tensor-core";
import { at, rowsOf } from "../checked.ts";
import type { KeyValueCache } from "../generation/cache.ts";
import type { AdapterPair } from "../lora/adapter.ts";
import type { UploadedLayout } from "./layout.ts";
import type { ModelParameters } from "./linear.ts";
import type { TextLayer } from "./text.ts";

/** More rows are worth passes of their own: a kernel's start is little beside its work. */
const MOST_ROWS = 256;

/** The layer, or undefined where there are many rows, where its weights do not lie side by side, or an adapter's part cannot be added in the product. */
export function layerTogether(
  { parameters, config, index }: TextLayer,
  x_TH: Tensor,
  { cos, sin, segments }: UploadedLayout,
  cache: KeyValueCache,
): Tensor | undefined {
  const { headDim, numAttentionHeads: heads, numKeyValueHeads: kvHeads, rmsNormEps } = config;
  if (config.qkNorm || config.intermediateSize % 4 !== 0 || rowsOf(x_TH) > MOST_ROWS) return undefined;
  const name = `model.layers.${index}`;
  const of = (...parts: string[]): Projection | undefined =>
    togetherOf(
      parameters,
      parts.map((part) => `${name}.${part}_proj`),
      rowsOf(x_TH),
    );
  const [qkv, o] = [of("self_attn.q", "self_attn.k", "self_attn.v"), of("self_attn.o")];
  const [gateUp, down] = [of("mlp.gate", "mlp.up"), of("mlp.down")];
  if (!qkv || !o || !gateUp || !down) return undefined;
  const norm = (of: string): Prologue => {
    const weight = parameters.weights.get(`${name}.${of}_layernorm.weight`);
    return { kind: "norm", weight, epsilon: rmsNormEps };
  };

  const attended = scope(() => {
    const rows = cache.layer(index);
    const q_TQ = ropeIntoCache(qkv(x_TH, { prologue: norm("input") }), cos, sin, rows, { heads, kvHeads });
    const shape = { heads, kvHeads, headDim, scale: headDim ** -0.5 };
    return o(attention(q_TQ, rows.keys, rows.values, segments, shape), { residual: x_TH });
  });
  const gated = gateUp(attended, { prologue: norm("post_attention"), gate: true });
  return down(gated, { residual: attended });
}

/** Projections of the same rows as one product `[rows, all outputs]`, with what may go before and be added to it. */
type Projection = (x: Tensor, options: Omit<TogetherOptions, "bias" | "update">) => Tensor;

function togetherOf(
  { weights, adapter }: ModelParameters,
  names: readonly string[],
  rows: number,
): Projection | undefined {
  if (names.some((name) => weights.weight(`${name}.weight`).scales)) return undefined; // in eight bits
  const weight = stackOf(names.map((name) => weights.get(`${name}.weight`)));
  const biased = names.filter((name) => weights.has(`${name}.bias`));
  const bias = stackOf(biased.map((name) => weights.get(`${name}.bias`)));
  if (!weight || (biased.length > 0 && !(bias && biased.length === names.length))) return undefined;
  const pairs = names.flatMap((name) => adapter?.pairs.get(name) ?? []);
  if (pairs.length === 0) return (x, options) => linearTogether(x, weight, { bias, ...options });
  const update = pairs.length === names.length ? updateOf(pairs) : undefined;
  if (!update || !takesUpdate(rows, weight)) return undefined;
  return (x, options) => linearTogether(x, weight, { bias, update, ...options });
}

/** Pairs that lie side by side, of one rank and scale, as one update. */
function updateOf(pairs: readonly AdapterPair[]): LowRankUpdate | undefined {
  const a = stackOf(pairs.map((pair) => pair.a.run));
  const up = stackOf(pairs.map((pair) => pair.b.run));
  const { rank, scale } = at(pairs, 0);
  if (!a || !up || pairs.some((pair) => pair.rank !== rank || pair.scale !== scale)) return undefined;
  const outputs = pairs.map((pair) => rowsOf(pair.b.run));
  const first = at(outputs, 0);
  const ends = [first, first + (outputs[1] ?? 0)] as const;
  return a.dtype === "f32" && up.dtype === "f32" ? { a, up, rank, scale, ends } : undefined;
}
