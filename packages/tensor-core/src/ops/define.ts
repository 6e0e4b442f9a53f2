// How an op is defined: shape rule, kernels, vjp, slow reference and test cases in one value.

import { currentTape, type TakeSum, type Tape } from "../autograd/tape.ts";
import type { Device } from "../device/device.ts";
import type { DType } from "../dtype.ts";
import { TensorError } from "../error.ts";
import { ghostOf, type Tensor } from "../tensor.ts";
import { aligned } from "./aligned.ts";

export interface OutputSpec {
  readonly shape: readonly number[];
  readonly dtype?: DType;
}

/** An array of the slow reference: values in f64. */
export interface ReferenceArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Inputs of an op; elements may be optional. */
type Inputs = readonly (Tensor | undefined)[];

/** Values of one kind for each element of a tuple. */
type Each<T extends readonly unknown[], V> = { readonly [K in keyof T]: V };

/** A tuple of tensors: inputs, and outputs by their specifications. */
type Tensors<T extends readonly unknown[]> = Each<T, Tensor>;

/** Cotangents of the outputs. A vjp is called with at least one, so the only output's is there. */
type Cotangents<O extends readonly unknown[]> = O extends readonly [unknown]
  ? readonly [Tensor]
  : Each<O, Tensor | undefined>;

export interface VjpContext<I extends Inputs, O extends readonly OutputSpec[], P> {
  /** Inputs; those not in `saves.inputs` know their shape only. */
  readonly inputs: I;
  readonly outputs: Tensors<O>;
  readonly params: P;
  readonly cotangents: Cotangents<O>;
  /** Which inputs' gradients are asked for. */
  readonly needs: Each<I, boolean>;
  /** Where the gradient of an input may be put: a tensor of its shape, contents undefined. */
  readonly into: Each<I, Tensor | undefined>;
  /** Gives the sum so far that the gradient of an input, by its number, is then to contain; undefined where it is by itself. */
  readonly takeSum: TakeSum;
}

/** How a test case's input is made. `normal`: mean 0, deviation 1. */
export interface CaseInput {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  /** Explicit values, or a distribution; integers are uniform in [0, below). */
  readonly values?: readonly number[] | "normal" | "positive";
  readonly below?: number;
  /** The op gives no gradient by this input (an angle table, say). */
  readonly constant?: boolean;
}

export interface OpCase<P> {
  readonly name: string;
  readonly inputs: readonly CaseInput[];
  readonly params: P;
  /** Largest allowed difference over the largest reference value. Default 2e-6 forward, 2e-5 backward. */
  readonly tolerance?: number;
  /** Runs only in the full check. */
  readonly full?: boolean;
}

/**
 * An op: `I` are its inputs and `O` its outputs, as tuples where their number is fixed, so that kernels, reference and vjp name them and a
 * gradient that is missing doesn't compile.
 */
export interface OpSpec<A extends unknown[], I extends Inputs, O extends readonly OutputSpec[], P, R>
  extends OpCommon<A, I, O, P, R> {
  /** The shape rule. Throws `shape` or `dtype` with the op's name. */
  readonly infer: (inputs: I, params: P) => O;
  /** Records dispatches that fill the outputs. Not called when all outputs are empty. */
  readonly run: (device: Device, inputs: I, outputs: Tensors<O>, params: P) => void;
}

/** An op whose output shares its input's storage. */
export interface ViewSpec<A extends unknown[], P>
  extends OpCommon<A, readonly [Tensor], readonly [OutputSpec], P, Tensor> {
  readonly view: (input: Tensor, params: P) => Tensor;
}

/** Positions of the inputs and outputs whose contents are kept. */
interface Saved {
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
}

interface OpCommon<A extends unknown[], I extends Inputs, O extends readonly OutputSpec[], P, R> {
  readonly name: string;
  /** One line for the op table. */
  readonly summary: string;
  /** What it makes of NaN and infinity, as the reference shows it; absent: they propagate as IEEE 754 has it. */
  readonly nonFinite?: string;
  /** More elements than the reference has may become NaN. */
  readonly spreadsNonFinite?: boolean;
  /** From the public arguments to inputs and parameters. */
  readonly call: (...args: A) => { inputs: I; params: P };
  /** Gradients by input, in ops. Absent: not differentiable. */
  readonly vjp?: (context: VjpContext<I, O, P>) => Each<I, Tensor | undefined>;
  /** What the vjp reads, also by the parameters. Default: all inputs, no outputs. */
  readonly saves?: Saved | ((params: P) => Saved);
  /** From outputs to the public result. Default: the first output. */
  readonly result?: (outputs: Tensors<O>) => R;
  /** Slow f64 reference of all outputs. */
  readonly reference: (inputs: Each<I, ReferenceArray>, params: P) => Each<O, ReferenceArray>;
  readonly cases: readonly OpCase<P>[];
}

/** What the registry and the conformance suite see of an op, whatever its arguments are. */
export interface Op {
  readonly opName: string;
  readonly summary: string;
  readonly differentiable: boolean;
  /** What it makes of NaN and infinity, where they do not propagate. */
  readonly nonFinite: string | undefined;
  readonly spreadsNonFinite: boolean;
  readonly cases: readonly OpCase<unknown>[];
  readonly reference: (inputs: readonly ReferenceArray[], params: unknown) => readonly ReferenceArray[];
  /** Applies the op to inputs and parameters as a case gives them; returns all outputs. */
  readonly apply: (inputs: readonly Tensor[], params: unknown) => readonly Tensor[];
}

/** A definition, and a view's, as the machinery sees them: their tuples are for those who write one. */
type AnySpec = OpSpec<unknown[], readonly Tensor[], readonly OutputSpec[], unknown, unknown>;
type AnyViewSpec = ViewSpec<unknown[], unknown>;
type AnyCommon = OpCommon<unknown[], readonly Tensor[], readonly OutputSpec[], unknown, unknown>;
type Callable<A extends unknown[], R> = ((...args: A) => R) & Op;

/** Makes an op callable with its public arguments; the definition stays attached for the registry. */
export function defineOp<
  A extends unknown[],
  const I extends Inputs,
  const O extends readonly OutputSpec[],
  P,
  R = Tensor,
>(spec: OpSpec<A, I, O, P, R>): Callable<A, R> {
  const any = spec as unknown as AnySpec;
  const evaluate = (inputs: readonly Tensor[], params: unknown): readonly Tensor[] => {
    const device = deviceOf(spec.name, inputs);
    const outputs = any.infer(inputs, params).map(({ shape, dtype }) => device.empty(shape, dtype));
    if (outputs.some((t) => t.size > 0)) fillOutputs(any, device, inputs, outputs, params);
    return outputs;
  };
  return callable(any, evaluate) as unknown as Callable<A, R>;
}

/** The same for an op whose output shares its input's storage. */
export function defineView<A extends unknown[], P>(spec: ViewSpec<A, P>): Callable<A, Tensor> {
  const any = spec as unknown as AnyCommon & AnyViewSpec;
  const evaluate = (inputs: readonly Tensor[], params: unknown): readonly Tensor[] => {
    deviceOf(spec.name, inputs);
    return inputs.map((x) => any.view(x, params));
  };
  return callable(any, evaluate) as unknown as Callable<A, Tensor>;
}

function callable(
  spec: AnyCommon,
  evaluate: (inputs: readonly Tensor[], params: unknown) => readonly Tensor[],
): Callable<unknown[], unknown> {
  const { name, summary, nonFinite, spreadsNonFinite = false, call, result = firstOf, reference, cases, vjp } = spec;
  const apply: Op["apply"] = (inputs, params) => {
    const outputs = evaluate(inputs, params);
    const tape = currentTape();
    if (tape && inputs.some((t) => tape.tracks(t))) recordOn(tape, spec, inputs, outputs, params);
    return outputs;
  };
  return Object.assign(
    (...args: unknown[]) => {
      const { inputs, params } = call(...args);
      return result(apply(inputs, params));
    },
    { opName: name, summary, nonFinite, spreadsNonFinite, differentiable: vjp !== undefined, cases, reference, apply },
  );
}
/** Throws `shape` in the name of an op. */
export function shapeError(op: string, message: string): never {
  throw new TensorError("shape", `${op}: ${message}`);
}

/** Throws `dtype` unless `tensor` has one of `allowed`. */
export function expectDType(op: string, tensor: Tensor, ...allowed: DType[]): void {
  if (!allowed.includes(tensor.dtype))
    throw new TensorError("dtype", `${op} takes ${allowed.join(" or ")}, not ${tensor}`);
}

/** Puts what an op made on a tape that tracks one of its inputs. */
function recordOn(
  tape: Tape,
  { name, vjp, saves = {} }: AnyCommon,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  params: unknown,
): void {
  if (!vjp) throw new TensorError("tape", `${name} has no gradient: wrap it in noGrad, or do not track its inputs`);
  const saved = typeof saves === "function" ? saves(params) : saves;
  const needs = inputs.map((t) => tape.tracks(t));
  const keptInputs = inputs.map((t, k) => (!saved.inputs || saved.inputs.includes(k) ? t.alias() : ghostOf(t)));
  const keptOutputs = outputs.map((t, k) => (saved.outputs?.includes(k) ? t.alias() : ghostOf(t)));
  tape.add({
    name,
    inputs: keptInputs,
    outputs: keptOutputs,
    needs,
    vjp: (incoming, into, take) => {
      const copies: Tensor[] = []; // freed by the scope that a vjp runs in
      const bindable = (tensors: readonly Tensor[]) => tensors.map((t) => aligned(t, copies));
      const cotangents = incoming.map((t) => t && aligned(t, copies));
      const takeSum: TakeSum = (k) => {
        const sum = take(k);
        return sum && aligned(sum, copies);
      };
      const kept = { inputs: bindable(keptInputs), outputs: bindable(keptOutputs) };
      return vjp({ ...kept, params, cotangents, needs, into, takeSum });
    },
  });
}

function fillOutputs(
  spec: AnySpec,
  device: Device,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  params: unknown,
): void {
  const temporary: Tensor[] = [];
  try {
    spec.run(
      device,
      inputs.map((t) => aligned(t, temporary)),
      outputs,
      params,
    );
  } catch (error) {
    for (const tensor of outputs) tensor.dispose();
    throw error;
  } finally {
    for (const tensor of temporary) tensor.dispose();
  }
}

function deviceOf(op: string, inputs: readonly Tensor[]): Device {
  const first = inputs[0];
  if (!first) throw new TensorError("argument", `${op} needs at least one tensor`);
  for (const tensor of inputs) {
    if (tensor.disposed)
      throw new TensorError("disposed", `${op}: ${tensor} was disposed: return it from its scope to use it later`);
    if (tensor.device !== first.device)
      throw new TensorError("cross_device", `${op}: its tensors live on different devices`);
  }
  return first.device;
}

function firstOf(outputs: readonly Tensor[]): Tensor {
  const [first, ...extras] = outputs;
  if (!first) throw new TensorError("argument", "an op has at least one output");
  for (const extra of extras) extra.dispose();
  return first;
}
