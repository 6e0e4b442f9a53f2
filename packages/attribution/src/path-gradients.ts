// Gradients of every response's score by the prompt embeddings, at one point or summed along the path from a baseline. The prompt is run
// forward once for all responses; a response's backward pass goes through its own rows and the prompt's, never through other responses'.
// Rows for n responses of R tokens to P prompt tokens: P + nR forward, n (P + R) backward (docs/architecture.md "Block attribution").
import { add, multiply, record, scope, type Tensor } from "@iapo/tensor-core";
import { at, sumOf } from "./checked.ts";
import type { Quadrature } from "./math/index.ts";
import type { DifferentiableModel, Embedded, PromptStates } from "./model.ts";

export interface PathGradients {
  /** For each response `[promptTokens, width]` flattened: sum over nodes of weight * dS/dx at baseline + node * (embeddings - baseline). */
  readonly gradients: readonly Float32Array[];
  /** Score of each response at each node: `scores[response][node]`. */
  readonly scores: readonly Float64Array[];
}

/** `baseline` may be left out where the only node is 1. `nodesPerPass`: how many variants of the prompt are packed and kept at once. */
export async function pathGradients(
  model: DifferentiableModel<never>,
  embedded: Embedded,
  { nodes, weights }: Quadrature,
  baseline?: Tensor,
  nodesPerPass = 1,
): Promise<PathGradients> {
  const { embeddings, targets } = embedded;
  const { device } = model;
  const zeros = (): Tensor => device.tensor(new Float32Array(embeddings.size), embeddings.shape);
  const sums = targets.map(zeros);
  // Added to every variant, so that one gradient is the weighted sum over them all.
  const shift = zeros();
  const scores = targets.map(() => new Float64Array(nodes.length));
  const pointAt = (node: number): Tensor =>
    baseline && node !== 1 ? add(multiply(embeddings, node), multiply(baseline, 1 - node)) : embeddings;
  try {
    for (let first = 0; first < nodes.length; first += nodesPerPass) {
      const part = Array.from(nodes.subarray(first, first + nodesPerPass));
      const prompt = record([shift], () =>
        scope(() => model.prefill(part.map((node) => ({ embedded, firstToken: 0, rows: add(shift, pointAt(node)) })))),
      );
      try {
        for (const [response, count] of targets.entries()) {
          const [sum, own] = [at(sums, response), at(scores, response)];
          const cotangent = Float32Array.from({ length: part.length * count }, (_, i) => {
            return at(weights, first + Math.floor(i / count));
          });
          using logProbs = scope(() => {
            const { value, backward } = scoreOn(model, prompt.value, response);
            const seeds = backward([[value, device.tensor(cotangent, [cotangent.length])]]);
            const pairs = prompt.value.tensors.map((state, k) => [state, at(seeds, k)] as const);
            prompt.backward(pairs, { retain: response < targets.length - 1, into: [sum] });
            return value;
          });
          const values = await logProbs.values();
          for (const node of part.keys()) own[first + node] = sumOf(values.subarray(node * count, (node + 1) * count));
        }
      } finally {
        prompt.dispose();
        for (const tensor of prompt.value.tensors) tensor.dispose();
      }
    }
    return { gradients: (await Promise.all(sums.map((sum) => sum.values()))) as Float32Array[], scores };
  } finally {
    for (const tensor of [...sums, shift]) tensor.dispose();
  }
}

function scoreOn(model: DifferentiableModel<never>, states: PromptStates, response: number) {
  return record(states.tensors, () => model.score(states, [response]));
}
