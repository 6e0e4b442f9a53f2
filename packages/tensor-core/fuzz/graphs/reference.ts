// Evaluates a program with the f64 references of its ops, exactly or with an error in every value, as it is or moved along a direction.
import type { ReferenceArray } from "../../src/ops/define.ts";
import { opsOf, type Program } from "./program.ts";

/** What is added to each value once it is made. */
export type Errors = readonly Float64Array[];

/** A program's values, and the errors they carry. */
export interface Evaluation {
  readonly values: readonly ReferenceArray[];
  readonly errors: Errors | undefined;
}

/** A step away from some values: `by` is added to value `id` once it is made. */
export type Move = ReadonlyMap<number, Float64Array>;

/** Errors of at most `relative` times a value's largest element, which is what rounding may do to it. */
export function randomErrors(program: Program, relative: number, random: () => number): Errors {
  const integers = new Set(
    program.sources.filter(({ dtype }) => dtype !== "f32" && dtype !== "bf16").map(({ id }) => id),
  );
  return program.values.map(({ data }, id) => {
    const scale = integers.has(id) ? 0 : relative * largest(data);
    return data.map(() => scale * (2 * random() - 1));
  });
}

/** The values with `errors` added to each. */
export function evaluateWith(program: Program, errors: Errors): Evaluation {
  const values: ReferenceArray[] = [];
  for (const { id, shape, data } of program.sources) values[id] = { shape, data: plus(data, errors[id]!) };
  for (const node of opsOf(program.nodes)) {
    const made = node.op.reference(
      node.inputs.map((id) => values[id]!),
      node.params,
    );
    node.outputs.forEach((id, k) => {
      values[id] = { shape: made[k]!.shape, data: plus(made[k]!.data, errors[id]!) };
    });
  }
  return { values, errors };
}

/** The values after a step; what the step does not reach is taken from `base`. */
function moved(program: Program, base: Evaluation, move: Move): readonly ReferenceArray[] {
  const values = [...base.values];
  const changed = new Set(move.keys());
  const shift = (id: number) => {
    const by = move.get(id);
    if (by) values[id] = { shape: values[id]!.shape, data: plus(values[id]!.data, by) };
  };
  for (const { id } of program.sources) shift(id);
  for (const node of opsOf(program.nodes)) {
    if (node.inputs.some((id) => changed.has(id))) {
      const made = node.op.reference(
        node.inputs.map((id) => values[id]!),
        node.params,
      );
      node.outputs.forEach((id, k) => {
        const { shape, data } = made[k]!;
        values[id] = { shape, data: base.errors ? plus(data, base.errors[id]!) : data };
        changed.add(id);
      });
    }
    for (const id of node.outputs) shift(id);
  }
  return values;
}

/** Central difference, of step `h`, of the seeded outputs' weighted sum along `direction`. */
export function slopes(
  program: Program,
  base: Evaluation,
  seeds: readonly (readonly [output: number, cotangent: Float64Array])[],
  direction: Move,
  h: number,
): { readonly slope: number /** Of the slopes on both sides. */; readonly jump: number } {
  const at = (step: number): number => {
    const move = new Map([...direction].map(([id, by]) => [id, by.map((x) => x * step)]));
    const values = moved(program, base, move);
    return seeds.reduce((sum, [id, cotangent]) => sum + dot(values[id]!.data, cotangent), 0);
  };
  const [before, here, after] = [at(-h), at(0), at(h)];
  return { slope: (after - before) / (2 * h), jump: (after + before - 2 * here) / h };
}

export function largest(data: ArrayLike<number>): number {
  let found = 0;
  for (let i = 0; i < data.length; i++) found = Math.max(found, Math.abs(data[i]!));
  return found;
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function plus(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((x, i) => x + b[i]!);
}
