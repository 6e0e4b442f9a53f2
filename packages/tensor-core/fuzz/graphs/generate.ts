// Makes random graphs from the registry: an op's own test cases say which inputs and parameters it takes, so a new op takes part by itself.
import { type Device, type DType, fromBf16, scope, TensorError, toBf16 } from "../../src/index.ts";
import { add } from "../../src/ops/add.ts";
import { concat } from "../../src/ops/concat.ts";
import type { CaseInput, Op, OpCase, ReferenceArray } from "../../src/ops/define.ts";
import { registry } from "../../src/ops/registry.ts";
import { reshape } from "../../src/ops/reshape.ts";
import { rowRange } from "../../src/ops/row-range.ts";
import { sigmoid } from "../../src/ops/sigmoid.ts";
import { slice } from "../../src/ops/slice.ts";
import { normal } from "../../src/testing/index.ts";
import type { Node, Pass, Program, Source } from "./program.ts";
import { largest } from "./reference.ts";

const MOST_ELEMENTS = 4000;
const MOST_RENAMED_ELEMENTS = 600;
/** Larger values are no test of the graph but of the range of f32. */
const LARGEST_VALUE = 50;
const LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 33, 0];
const SHARE_OF_OLD_VALUES = 0.8;

const cases = registry
  .filter((op) => op.differentiable)
  .map((op) => ({ op, cases: op.cases.filter((c) => c.inputs.every(fitsGraph)) }));

/** Names of the ops that graphs are made of. */
export const graphOps: readonly string[] = cases.map(({ op }) => op.opName);

/** A random program of `length` random nodes at the top, besides those that bring values into shape. `planning` checks shapes. */
export function generateProgram(planning: Device, random: () => number, length: number): Program {
  const generator = new Generator(planning, random);
  generator.grow(length, 0);
  return generator.finish();
}

class Generator {
  readonly #planning: Device;
  readonly #random: () => number;
  readonly #sources: Source[] = [];
  readonly #values: ReferenceArray[] = [];
  readonly #dtypes: DType[] = [];
  readonly #tracked = new Set<number>();
  /** Nodes of the block that grows now. */
  #nodes: Node[] = [];
  /** Values that it sees. */
  #visible: number[] = [];

  constructor(planning: Device, random: () => number) {
    this.#planning = planning;
    this.#random = random;
  }

  /** Adds `length` nodes, some of which are blocks. */
  grow(length: number, depth: number): void {
    for (let i = 0; i < length; i++) {
      if (depth < 2 && this.#random() < 0.2) this.#addBlock(depth);
      else for (let attempt = 0; attempt < 5 && !this.#addOp(); attempt++);
    }
  }

  finish(): Program {
    const made = this.#floats().filter((id) => this.#tracked.has(id) && !this.#isSource(id));
    const last = made.at(-1);
    const outputs = made.filter((id) => id === last || this.#random() < 0.2);
    const sources = this.#sources.filter(({ tracked }) => tracked).map(({ id }) => id);
    const first = this.#pass(outputs, sources, false);
    const subset = outputs.filter(() => this.#random() < 0.6);
    const second = this.#pass(
      subset,
      [...sources, ...outputs].filter(() => this.#random() < 0.6),
      this.#random() < 0.5,
    );
    return {
      sources: this.#sources,
      nodes: this.#nodes,
      values: this.#values,
      outputs,
      passes: this.#random() < 0.5 ? [first] : [first, second],
    };
  }

  #pass(seeds: readonly number[], wrt: readonly number[], into: boolean): Pass {
    return { seeds: seeds.map((id) => [id, this.#draw(this.#values[id]!.shape)] as const), wrt, into };
  }

  /** Adds a scope or a checkpoint around some nodes. */
  #addBlock(depth: number): void {
    const outer = { nodes: this.#nodes, visible: this.#visible };
    this.#nodes = [];
    this.#visible = [...outer.visible];
    this.grow(1 + this.#below(3), depth + 1);
    const nodes = this.#nodes;
    const result = this.#floats().findLast((id) => !outer.visible.includes(id) && !this.#isSource(id));
    this.#nodes = outer.nodes;
    this.#visible = [
      ...outer.visible,
      ...this.#visible.filter((id) => this.#isSource(id) && !outer.visible.includes(id)),
    ];
    if (result === undefined) return;
    const own = new Set<number>();
    const inputs = new Set<number>();
    for (const node of nodes) {
      for (const id of node.inputs) if (!own.has(id) && !this.#isSource(id)) inputs.add(id);
      for (const id of node.kind === "op" ? node.outputs : [node.result]) own.add(id);
    }
    this.#nodes.push({ kind: this.#random() < 0.5 ? "scope" : "checkpoint", nodes, inputs: [...inputs], result });
    this.#visible.push(result);
  }

  /** Adds a random op, unless what it gives is out of range: then nothing is added. */
  #addOp(): boolean {
    const { op, cases: all } = this.#pick(cases);
    const testCase = this.#pick(all);
    const { shapes, dtypes } = this.#planOf(op, testCase);
    const mark = { nodes: this.#nodes.length, sources: this.#sources.length, values: this.#values.length };
    const visible = [...this.#visible];
    const inputs = testCase.inputs.map((input, k) => this.#input(input, shapes[k]!));
    if (this.#apply(op, inputs, testCase.params, dtypes)) return true;
    this.#nodes.length = mark.nodes;
    this.#sources.length = mark.sources;
    this.#values.length = mark.values;
    this.#visible = visible;
    for (const id of this.#tracked) if (id >= mark.values) this.#tracked.delete(id);
    return false;
  }

  /** The case's shapes, often with other lengths where the op takes them, and the types of the outputs. */
  #planOf(op: Op, testCase: OpCase<unknown>): { shapes: (readonly number[])[]; dtypes: DType[] } {
    const given = testCase.inputs.map(({ shape }) => shape);
    const plan = (shapes: (readonly number[])[]) =>
      scope(() => {
        const tensors = shapes.map((shape, k) => this.#planning.empty(shape, testCase.inputs[k]!.dtype ?? "f32"));
        return { shapes, dtypes: op.apply(tensors, testCase.params).map(({ dtype }) => dtype) };
      });
    const renamed = new Map([
      [0, 0],
      [1, 1],
    ]);
    const rename = (length: number): number => {
      const known = renamed.get(length) ?? this.#pick(LENGTHS);
      renamed.set(length, known);
      return known;
    };
    const shapes = testCase.inputs.map((input) => (isGiven(input) ? input.shape : input.shape.map(rename)));
    if (this.#random() < 0.4 || shapes.some((shape) => sizeOf(shape) > MOST_RENAMED_ELEMENTS)) return plan(given);
    try {
      return plan(shapes);
    } catch (error) {
      if (error instanceof TensorError) return plan(given);
      throw error;
    }
  }

  /** A value for an input of a case: an old one brought into shape, or a new source. */
  #input(input: CaseInput, shape: readonly number[]): number {
    const { dtype = "f32", values = "normal" } = input;
    if (isGiven(input)) return this.#source(shape, dtype, Float64Array.from(values as readonly number[]), false);
    if (dtype === "i32" || dtype === "u32") {
      const data = Float64Array.from({ length: sizeOf(shape) }, () => this.#below(input.below ?? 10));
      return this.#source(shape, dtype, data, false);
    }
    if (dtype === "bf16" && this.#random() < SHARE_OF_OLD_VALUES) {
      const fitting = this.#visible.filter((id) => this.#dtypes[id] === dtype && this.#hasShape(id, shape));
      const usable = fitting.filter((id) => !input.constant || !this.#tracked.has(id));
      if (usable.length > 0) return this.#pick(usable);
    }
    if (dtype === "f32" && !input.constant && this.#random() < SHARE_OF_OLD_VALUES) {
      const old = this.#old(shape);
      if (old !== undefined) return values === "positive" ? this.#positive(old) : old;
    }
    const drawn = this.#draw(shape).map((x) => Math.fround(values === "positive" ? 0.1 + Math.abs(x) : x));
    return this.#source(
      shape,
      dtype,
      dtype === "bf16" ? Float64Array.from(fromBf16(toBf16(drawn))) : drawn,
      !input.constant,
    );
  }

  #source(shape: readonly number[], dtype: DType, data: Float64Array, mayTrack: boolean): number {
    const id = this.#values.push({ shape, data }) - 1;
    const tracked = mayTrack && dtype !== "i32" && dtype !== "u32" && this.#random() < 0.9;
    this.#sources.push({ id, shape, dtype, data, tracked });
    if (tracked) this.#tracked.add(id);
    this.#dtypes[id] = dtype;
    this.#visible.push(id);
    return id;
  }

  /** f32 values that the block sees. */
  #floats(): number[] {
    return this.#visible.filter((id) => this.#dtypes[id] === "f32");
  }

  #isSource(id: number): boolean {
    return this.#sources.some((source) => source.id === id);
  }

  #hasShape(id: number, shape: readonly number[]): boolean {
    return String(this.#values[id]!.shape) === String(shape);
  }

  /** An old value of this shape, or one cut or repeated to it; recent ones more often. */
  #old(shape: readonly number[]): number | undefined {
    const floats = this.#floats();
    if (floats.length === 0) return undefined;
    const fitting = floats.filter((id) => this.#hasShape(id, shape));
    if (fitting.length > 0 && this.#random() < 0.7) return this.#pick(fitting);
    const id = floats[floats.length - 1 - Math.floor(this.#random() ** 2 * floats.length)]!;
    const [have, want] = [this.#values[id]!.data.length, sizeOf(shape)];
    if (have === 0 || want > 16 * have) return undefined;
    let flat = this.#values[id]!.shape.length === 1 ? id : this.#must(reshape, [id], { shape: [have] });
    if (have < want) flat = this.#must(concat, Array(Math.ceil(want / have)).fill(flat), { axis: 0 });
    const spare = this.#values[flat]!.data.length - want;
    if (spare > 0) {
      const start = this.#below(spare + 1);
      const view = this.#random() < 0.5;
      flat = this.#must(view ? rowRange : slice, [flat], { axis: 0, start, end: start + want });
    }
    return shape.length === 1 ? flat : this.#must(reshape, [flat], { shape });
  }

  #positive(id: number): number {
    return this.#must(add, [this.#must(sigmoid, [id], [])], { number: { operand: "b", value: 0.1 } });
  }

  #must(op: Op, inputs: readonly number[], params: unknown): number {
    const made = this.#apply(op, inputs, params);
    if (!made) throw new Error(`${op.opName} left the range of values`);
    return made[0]!;
  }

  /** Adds a node and gives the numbers of its outputs; undefined where they are out of range. */
  #apply(op: Op, inputs: readonly number[], params: unknown, dtypes: readonly DType[] = ["f32"]): number[] | undefined {
    const made = op.reference(
      inputs.map((id) => this.#values[id]!),
      params,
    );
    if (made.some(({ data }) => data.some((x) => !Number.isFinite(x)) || largest(data) > LARGEST_VALUE))
      return undefined;
    const outputs = made.map((array) => this.#values.push(array) - 1);
    this.#nodes.push({ kind: "op", op, inputs, params, outputs });
    outputs.forEach((id, k) => {
      this.#dtypes[id] = dtypes[k]!;
    });
    this.#visible.push(...outputs);
    if (inputs.some((id) => this.#tracked.has(id))) for (const id of outputs) this.#tracked.add(id);
    return outputs;
  }

  #draw(shape: readonly number[]): Float64Array {
    return Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(normal(this.#random)));
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }
}

function fitsGraph({ shape }: CaseInput): boolean {
  return sizeOf(shape) <= MOST_ELEMENTS;
}

/** Tables and row numbers come as the case has them. Other given values are edges of one op's domain, which graphs keep away from. */
function isGiven({ values, dtype, constant }: CaseInput): boolean {
  return Array.isArray(values) && (constant === true || dtype === "i32" || dtype === "u32");
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
