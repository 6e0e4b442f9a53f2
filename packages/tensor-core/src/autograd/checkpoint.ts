// Recomputation in place of saved activations.

import { scope } from "../memory/scope.ts";
import { ghostOf, type Tensor } from "../tensor.ts";
import { currentTape, noGrad, record, type Tape, withTape } from "./tape.ts";

/** Finds which tracked tensors a computation reads, and keeps nothing. */
class WatchingTape implements Tape {
  readonly touched = new Map<number, Tensor>();
  readonly #outer: Tape;
  readonly #inner = new Set<number>();

  constructor(outer: Tape) {
    this.#outer = outer;
  }

  tracks(tensor: Tensor): boolean {
    return this.#outer.tracks(tensor) || this.#inner.has(tensor.id);
  }

  add(node: Parameters<Tape["add"]>[0]): void {
    node.inputs.forEach((input, k) => {
      if (node.needs[k] && this.#outer.tracks(input) && !this.touched.has(input.id))
        this.touched.set(input.id, ghostOf(input));
    });
    for (const output of node.outputs) this.#inner.add(output.id);
    for (const tensor of [...node.inputs, ...node.outputs]) tensor.dispose();
  }
}

/**
 * Runs `fn(...inputs)` and saves its inputs only; the backward pass runs `fn` again. What `fn` closes over (weights) must outlive the
 * backward pass; activations must come in through `inputs`. The rerun gives the same bits, as kernels are deterministic.
 */
export function checkpoint(fn: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[]): Tensor {
  const outer = currentTape();
  if (!outer) return scope(() => fn(...inputs));
  const watching = new WatchingTape(outer);
  const output = scope(() => withTape(watching, () => fn(...inputs)));
  const touched = [...watching.touched.values()];
  if (touched.length === 0) return output;
  const saved = inputs.map((t) => t.alias());
  const own = new Set(inputs.map((t) => t.id));
  const closed = touched.filter((t) => !own.has(t.id));
  const all = [...saved, ...closed];
  outer.add({
    name: "checkpoint",
    inputs: all,
    outputs: [ghostOf(output)],
    needs: all.map((t) => outer.tracks(t)),
    vjp: ([cotangent], into) => {
      const wanted = all.filter((t) => outer.tracks(t));
      const recorded = record(wanted, () => scope(() => fn(...saved)));
      const places = wanted.map((t) => into[all.indexOf(t)]);
      const gradients = noGrad(() => recorded.backward(cotangent ? [[recorded.value, cotangent]] : [], { places }));
      recorded.value.dispose();
      return all.map((t) => (outer.tracks(t) ? gradients[wanted.indexOf(t)] : undefined));
    },
  });
  return output;
}
