// The reverse tape. Ops record themselves on the innermost tape; state is synchronous, as with scopes.
import { TensorError } from "../error.ts";
import { refusePromise, release, scope } from "../memory/scope.ts";
import { addInto } from "../ops/add-into.ts";
import { fill } from "../ops/fill.ts";
import type { Tensor } from "../tensor.ts";
import { Places } from "./places.ts";

/** What a node needs to turn output cotangents into input cotangents. */
export interface Node {
  readonly name: string;
  /** Handles owned by the tape: aliases of what was saved, ghosts of the rest. */
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Which inputs are tracked. */
  readonly needs: readonly boolean[];
  /**
   * One cotangent (f32, the input's shape) or undefined per input; never called with all cotangents undefined. That of an input may be the tensor
   * that `into` has for it, filled; or what `takeSum` gave for it, once asked, and the own part added.
   */
  readonly vjp: (
    cotangents: readonly (Tensor | undefined)[],
    into: readonly (Tensor | undefined)[],
    takeSum: TakeSum,
  ) => readonly (Tensor | undefined)[];
}

/** What the cotangent of an input is so far, by its number: whoever asks adds to it, and leaves it as it is. Undefined: nothing, or what is elsewhere added to in place. */
export type TakeSum = (input: number) => Tensor | undefined;

export interface Tape {
  tracks(tensor: Tensor): boolean;
  /** Takes ownership of the node's handles. */
  add(node: Node): void;
}

const tapes: (Tape | undefined)[] = [];

/** The tape that ops record on now, if any. */
export function currentTape(): Tape | undefined {
  return tapes.at(-1);
}

/** Runs `fn` with `tape` as the innermost one (undefined: records nothing). */
export function withTape<T>(tape: Tape | undefined, fn: () => T): T {
  tapes.push(tape);
  try {
    return refusePromise(fn(), "recording");
  } finally {
    tapes.pop();
  }
}

/** Runs `fn` without recording. Synchronous. */
export function noGrad<T>(fn: () => T): T {
  return withTape(undefined, fn);
}

export interface BackwardOptions {
  /** Tensors to differentiate by: sources, or tracked intermediates. Default: the sources. */
  readonly wrt?: readonly Tensor[];
  /** Keep what was saved, so that `backward` can run again. */
  readonly retain?: boolean;
  /** Tensors (one per `wrt`) that the gradients are added to, in place; they are then the result. */
  readonly into?: readonly Tensor[];
  /** For this package: where to put results (one per `wrt`, contents undefined). Default: gradients of neighbors are neighbors too. */
  readonly places?: readonly (Tensor | undefined)[];
}

/** A recorded computation. */
export interface Recorded<T> {
  readonly value: T;
  /**
   * Gradients of the sum of `<cotangent, output>` over the seeds by each of `wrt` (f32, of its shape; zeros where nothing flows).
   * A lone tensor as seed is a one-element output with cotangent 1. Throws `tape` on a second call without `retain` before it.
   */
  backward(
    seeds: Tensor | readonly (readonly [output: Tensor, cotangent: Tensor])[],
    options?: BackwardOptions,
  ): Tensor[];
  /** Frees what was saved. */
  dispose(): void;
}

class RecordingTape implements Tape {
  readonly nodes: Node[] = [];
  readonly #tracked: Set<number>;

  constructor(sources: readonly Tensor[]) {
    this.#tracked = new Set(sources.map((t) => t.id));
  }

  tracks(tensor: Tensor): boolean {
    return this.#tracked.has(tensor.id);
  }

  add(node: Node): void {
    for (const t of [...node.inputs, ...node.outputs]) release(t);
    for (const output of node.outputs) this.#tracked.add(output.id);
    this.nodes.push(node);
  }
}

/** Records `fn` so that gradients by `sources`, and by what is computed from them, can be taken. Synchronous. */
export function record<T>(sources: readonly Tensor[], fn: () => T): Recorded<T> {
  const tape = new RecordingTape(sources);
  let spent = false;
  const free = () => {
    for (const node of tape.nodes) freeNode(node);
    tape.nodes.length = 0;
    spent = true;
  };
  let value: T;
  try {
    value = withTape(tape, fn);
  } catch (error) {
    free();
    throw error;
  }
  return {
    value,
    backward(seeds, options = {}) {
      if (spent) {
        throw new TensorError(
          "tape",
          "this recording was used up: pass { retain: true } to the earlier backward() to run it again",
        );
      }
      spent = !options.retain;
      const wrt = options.wrt ?? sources;
      for (const t of wrt)
        if (!tape.tracks(t)) throw new TensorError("tape", `${t} is not on this tape: name it in record()'s sources`);
      try {
        return noGrad(() => scope(() => run(tape.nodes, seeds, wrt, options)));
      } finally {
        if (spent) free();
      }
    },
    dispose: free,
  };
}

/** Value and gradients of a one-element loss by `wrt`. `fn` is synchronous; intermediates are freed. */
export function grad(fn: () => Tensor, wrt: readonly Tensor[]): { value: Tensor; gradients: Tensor[] } {
  return scope(() => {
    const recorded = record(wrt, fn);
    return { value: recorded.value, gradients: recorded.backward(recorded.value) };
  });
}

function run(
  nodes: Node[],
  seeds: Tensor | readonly (readonly [Tensor, Tensor])[],
  wrt: readonly Tensor[],
  options: BackwardOptions,
): Tensor[] {
  const cotangents = new Map<number, Tensor>();
  const wanted = new Set(wrt.map((t) => t.id));
  const places = new Places(wrt, options.into ? [] : options.places);
  for (const [output, cotangent] of seedPairs(seeds)) accumulate(cotangents, output, cotangent.alias(), places);
  for (const node of nodes.toReversed()) {
    const incoming = node.outputs.map((t) => cotangents.get(t.id));
    if (incoming.some((c) => c !== undefined)) {
      const into = placesOf(node, cotangents, places);
      const taken = new Set<number>();
      const takeSum = (k: number): Tensor | undefined => {
        const sum = sumOf(node, k, cotangents, places);
        if (sum) taken.add(k);
        return sum;
      };
      const produced = scope(() => {
        const made = node.vjp(incoming, into, takeSum);
        // A vjp may hand an incoming cotangent on, or one tensor twice: give each its own handle.
        return made.map((t, k) => (t && node.needs[k] ? t.alias() : undefined));
      });
      for (const output of node.outputs) {
        if (wanted.has(output.id)) continue;
        cotangents.get(output.id)?.dispose();
        cotangents.delete(output.id);
      }
      for (const [k, input] of node.inputs.entries()) {
        const gradient = produced[k];
        if (gradient && taken.has(k)) {
          cotangents.get(input.id)?.dispose();
          cotangents.delete(input.id);
        }
        if (gradient) accumulate(cotangents, input, gradient, places);
      }
    }
    if (!options.retain) {
      freeNode(node);
      nodes.pop();
    }
  }
  return wrt.map((tensor, k) => {
    const found = cotangents.get(tensor.id);
    const target = options.into?.[k];
    if (!target) return places.settle(tensor, found);
    if (found) addInto(target, found);
    return target;
  });
}

/** Of a node's inputs that have no gradient yet, the places of these. */
function placesOf(
  { inputs, needs }: Node,
  cotangents: ReadonlyMap<number, Tensor>,
  places: Places,
): readonly (Tensor | undefined)[] {
  return inputs.map((input, k) => {
    const isFirst = !cotangents.has(input.id) && inputs.findIndex(({ id }) => id === input.id) === k;
    return needs[k] && isFirst ? places.of(input) : undefined;
  });
}

/** What there is of the cotangent of input k, where the node has it once and it is not in a place of its own. */
function sumOf(
  { inputs, needs }: Node,
  k: number,
  cotangents: ReadonlyMap<number, Tensor>,
  places: Places,
): Tensor | undefined {
  const input = inputs[k];
  if (!input || !needs[k] || places.of(input) || inputs.filter(({ id }) => id === input.id).length > 1)
    return undefined;
  const sum = cotangents.get(input.id);
  return sum?.isWhole ? sum : undefined;
}

function seedPairs(seeds: Tensor | readonly (readonly [Tensor, Tensor])[]): readonly (readonly [Tensor, Tensor])[] {
  if (Array.isArray(seeds)) return seeds;
  const output = seeds as Tensor;
  if (output.size !== 1) {
    throw new TensorError(
      "tape",
      `backward() of ${output} needs a cotangent: only a one-element loss has an obvious one`,
    );
  }
  return [[output, fill(output.device, output.shape, 1)]];
}

/** Adds in place where the sum so far has no other handle. Takes ownership of `gradient`. */
function accumulate(cotangents: Map<number, Tensor>, tensor: Tensor, gradient: Tensor, places: Places): void {
  if (gradient.size !== tensor.size) {
    throw new TensorError("tape", `a vjp gave ${gradient} as the gradient of ${tensor}`);
  }
  const sum = cotangents.get(tensor.id);
  if (!sum) {
    cotangents.set(tensor.id, gradient);
    return;
  }
  // Addition commutes, so whichever of the two has no other handle can take the other in.
  const target = isOwn(sum) || places.isAt(tensor, sum) ? sum : isOwn(gradient) ? gradient : copyOf(sum);
  addInto(target, target === gradient ? sum : gradient);
  cotangents.set(tensor.id, target);
  for (const part of [sum, gradient]) if (part !== target) part.dispose();
}

/** Whether this handle is the only one of its buffer, all of which it spans. */
function isOwn(tensor: Tensor): boolean {
  return tensor.parts().every(({ tensor: part }) => part.storage.references === 1 && part.byteOffset === 0);
}

function copyOf(tensor: Tensor): Tensor {
  const copy = fill(tensor.device, tensor.shape, 0, tensor);
  addInto(copy, tensor);
  return copy;
}

function freeNode(node: Node): void {
  for (const tensor of [...node.inputs, ...node.outputs]) tensor.dispose();
}
