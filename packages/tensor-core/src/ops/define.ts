// How an op is defined: shape rule, kernels, vjp, slow reference and test cases in one value.
import { currentTape } from "../autograd/tape.ts";
import type { Device } from "../device/device.ts";
import type { DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
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

export interface VjpContext<P> {
  /** Inputs; those not in `saves.inputs` know their shape only. */
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly params: P;
  readonly cotangents: readonly (Tensor | undefined)[];
  /** Which inputs' gradients are asked for. */
  readonly needs: readonly boolean[];
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

export type OpSpec<A extends unknown[], P, R = Tensor> = OpCommon<A, P, R> & (ComputedOp<P> | ViewOp<P>);

/** An op with outputs of its own. */
export interface ComputedOp<P> {
  /** The shape rule. Throws `shape` or `dtype` with the op's name. */
  readonly infer: (inputs: readonly Tensor[], params: P) => readonly OutputSpec[];
  /** Records dispatches that fill the outputs. Not called when all outputs are empty. */
  readonly run: (device: Device, inputs: readonly Tensor[], outputs: readonly Tensor[], params: P) => void;
}

/** An op whose output shares an input's storage. */
export interface ViewOp<P> {
  readonly view: (inputs: readonly Tensor[], params: P) => Tensor;
}

interface OpCommon<A extends unknown[], P, R> {
  readonly name: string;
  /** One line for the op table. */
  readonly summary: string;
  /** From the public arguments to inputs and parameters. */
  readonly call: (...args: A) => { inputs: readonly Tensor[]; params: P };
  /** Gradients by input, in ops. Absent: not differentiable. */
  readonly vjp?: (context: VjpContext<P>) => readonly (Tensor | undefined)[];
  /** What the vjp reads. Default: all inputs, no outputs. */
  readonly saves?: { readonly inputs?: readonly number[]; readonly outputs?: readonly number[] };
  /** From outputs to the public result. Default: the first output. */
  readonly result?: (outputs: readonly Tensor[]) => R;
  /** Slow f64 reference of all outputs. */
  readonly reference: (inputs: readonly ReferenceArray[], params: P) => readonly ReferenceArray[];
  readonly cases: readonly OpCase<P>[];
}

/** What the registry and the conformance suite see of an op, whatever its arguments are. */
export interface Op {
  readonly opName: string;
  readonly summary: string;
  readonly differentiable: boolean;
  readonly cases: readonly OpCase<unknown>[];
  readonly reference: (inputs: readonly ReferenceArray[], params: unknown) => readonly ReferenceArray[];
  /** Applies the op to inputs and parameters as a case gives them; returns all outputs. */
  readonly apply: (inputs: readonly Tensor[], params: unknown) => Tensor[];
}

/** Makes an op callable with its public arguments; the definition stays attached for the registry. */
export function defineOp<A extends unknown[], P, R = Tensor>(spec: OpSpec<A, P, R>): ((...args: A) => R) & Op {
  const apply = (inputs: readonly Tensor[], params: P): Tensor[] => applyOp(spec, inputs, params);
  const result = spec.result ?? ((outputs: readonly Tensor[]) => firstOf(outputs) as R);
  const op = (...args: A): R => {
    const { inputs, params } = spec.call(...args);
    return result(apply(inputs, params));
  };
  return Object.assign(op, {
    opName: spec.name,
    summary: spec.summary,
    differentiable: spec.vjp !== undefined,
    cases: spec.cases as readonly OpCase<unknown>[],
    reference: spec.reference as Op["reference"],
    apply: apply as Op["apply"],
  });
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

function applyOp<A extends unknown[], P, R>(spec: OpSpec<A, P, R>, inputs: readonly Tensor[], params: P): Tensor[] {
  const device = deviceOf(spec.name, inputs);
  const outputs = "view" in spec ? [spec.view(inputs, params)] : compute(spec, device, inputs, params);
  const tape = currentTape();
  const needs = inputs.map((t) => tape?.tracks(t) ?? false);
  if (!tape || !needs.includes(true)) return outputs;
  if (!spec.vjp)
    throw new TensorError("tape", `${spec.name} has no gradient: wrap it in noGrad, or do not track its inputs`);
  const { vjp, saves = {} } = spec;
  const keptInputs = inputs.map((t, k) => (!saves.inputs || saves.inputs.includes(k) ? t.alias() : t.ghost()));
  const keptOutputs = outputs.map((t, k) => (saves.outputs?.includes(k) ? t.alias() : t.ghost()));
  tape.add({
    name: spec.name,
    inputs: keptInputs,
    outputs: keptOutputs,
    needs,
    vjp: (cotangents) => {
      const copies: Tensor[] = []; // freed by the scope that a vjp runs in
      const bindable = (tensors: readonly Tensor[]) => tensors.map((t) => aligned(t, copies));
      return vjp({
        inputs: bindable(keptInputs),
        outputs: bindable(keptOutputs),
        params,
        cotangents: cotangents.map((t) => t && aligned(t, copies)),
        needs,
      });
    },
  });
  return outputs;
}

function compute<P>(spec: ComputedOp<P>, device: Device, inputs: readonly Tensor[], params: P): Tensor[] {
  const specs = spec.infer(inputs, params);
  const outputs = specs.map(({ shape, dtype }) => device.empty(shape, dtype));
  if (outputs.every((t) => t.size === 0)) return outputs;
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
  return outputs;
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
  for (const extra of outputs.slice(1)) extra.dispose();
  return outputs[0]!;
}
