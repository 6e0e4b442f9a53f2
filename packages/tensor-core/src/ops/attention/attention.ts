// Segment attention: softmax(scale q kᵀ) v, where every segment of query rows sees a shared prefix range and an own range of keys.
import { TensorError } from "../../error.ts";
import type { Tensor } from "../../tensor.ts";
import { defineOp, expectDType, shapeError } from "../define.ts";
import { backward } from "./backward.ts";
import { attentionCases } from "./cases.ts";
import { type AttentionParams, FORWARD_PRODUCTS, forward } from "./forward.ts";
import { type AttentionShape, attentionReference } from "./reference.ts";
import type { Segments } from "./segments.ts";

const LARGEST_HEAD = 128;
/** Products of queries by visible keys: scores again, and one for each of dp, dq, dk, dv. */
const BACKWARD_PRODUCTS = 5;

/**
 * `softmax(scale q kᵀ) v` over packed rows. q is [queries, heads * headDim], k and v are [keys, kvHeads * headDim], all f32; query
 * head h reads key head floor(h / (heads / kvHeads)). Which keys a query sees, `segments` says; one that sees none gives zeros.
 *
 * A row's bits depend on its logical keys only, not on its neighbors: prefill, a packed batch with a shared prefix, and decoding a
 * token at a time agree. Neither scores nor masks are stored: memory is linear in the rows.
 *
 * Throws `shape` or `dtype` for tensors that do not fit, and `argument` for a head dimension that is not a multiple of 4 up to 128.
 */
export const attention = defineOp({
  name: "attention",
  summary: "softmax(scale q kᵀ) v over segments of packed rows: shared prefix, causal or not, grouped heads",
  nonFinite: "propagate, also to neighbors of a tile that do not see them; scores of -infinity count as no keys",
  spreadsNonFinite: true,
  call: (q: Tensor, k: Tensor, v: Tensor, segments: Segments, shape: AttentionShape) => {
    const params: AttentionParams = { ...shape, plan: segments.plan };
    return { inputs: [q, k, v, segments.table], params };
  },
  infer: ([q, k, v], params) => {
    const { plan, heads, kvHeads, headDim } = params;
    for (const x of [q, k, v]) expectDType("attention", x, "f32");
    if (!(headDim > 0 && headDim <= LARGEST_HEAD && headDim % 4 === 0)) {
      throw new TensorError("argument", `attention: a head dimension is a multiple of 4 up to 128, not ${headDim}`);
    }
    if (!(kvHeads > 0 && heads % kvHeads === 0)) {
      throw new TensorError("argument", `attention: ${heads} heads do not share ${kvHeads} key heads evenly`);
    }
    if (String(q.shape) !== String([plan.queries, heads * headDim])) {
      shapeError("attention", `q must be [${plan.queries}, ${heads} * ${headDim}] for these segments, not ${q}`);
    }
    const [keys = 0, width, ...more] = k.shape;
    if (more.length > 0 || width !== kvHeads * headDim || keys < plan.keys) {
      shapeError(
        "attention",
        `k must be [at least ${plan.keys}, ${kvHeads} * ${headDim}] for these segments, not ${k}`,
      );
    }
    if (String(v.shape) !== String(k.shape)) shapeError("attention", `k and v differ in shape: ${k}, ${v}`);
    return [{ shape: q.shape }, { shape: [plan.queries, heads] }];
  },
  run: (device, inputs, outputs, params) => {
    device.flops += FORWARD_PRODUCTS * productFlops(params);
    forward(inputs, outputs, params);
  },
  vjp: ({ inputs, outputs, cotangents, needs, params }) => {
    inputs[0].device.flops += BACKWARD_PRODUCTS * productFlops(params);
    return backward(inputs, outputs, cotangents, needs, params);
  },
  saves: { outputs: [0, 1] },
  reference: (inputs, params) => {
    const { out, logSumExp } = attentionReference(inputs, params.plan, params);
    return [
      { shape: inputs[0].shape, data: out },
      { shape: [params.plan.queries, params.heads], data: logSumExp },
    ];
  },
  cases: attentionCases,
});

/** Operations of one product between all queries and the keys they see. */
function productFlops({ plan, heads, headDim }: AttentionParams): number {
  let pairs = 0;
  for (const { queryCount, prefixCount, ownCount, causal } of plan.segments) {
    const hidden = causal ? (queryCount * (queryCount - 1)) / 2 : 0;
    pairs += queryCount * (prefixCount + ownCount) - hidden;
  }
  return 2 * pairs * heads * headDim;
}
