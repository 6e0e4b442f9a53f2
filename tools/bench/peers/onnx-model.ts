// ONNX models of the workloads, written as protobuf (the fields of onnx.proto that a graph needs, opset 17, IR 8).
import type { AttentionCase } from "../workloads/attention.ts";
import type { MatmulCase } from "../workloads/matmul.ts";

type Bytes = number[];

function varint(value: number): Bytes {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

const integer = (field: number, value: number): Bytes => [...varint(field * 8), ...varint(value)];
const nested = (field: number, bytes: Bytes): Bytes => [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
const text = (field: number, value: string): Bytes => nested(field, [...new TextEncoder().encode(value)]);

interface Node {
  op: string;
  inputs: string[];
  output: string;
  /** Integer attributes, such as the axis of a softmax. */
  integers?: Record<string, number>;
  /** Lists of integers, such as the order of a transpose. */
  lists?: Record<string, number[]>;
}

const attribute = (name: string, value: Bytes, type: number): Bytes =>
  nested(5, [...text(1, name), ...value, ...integer(20, type)]);

function encodeNode({ op, inputs, output, integers = {}, lists = {} }: Node): Bytes {
  return [
    ...inputs.flatMap((input) => text(1, input)),
    ...text(2, output),
    ...text(4, op),
    ...Object.entries(integers).flatMap(([name, value]) => attribute(name, integer(3, value), 2)),
    ...Object.entries(lists).flatMap(([name, values]) =>
      attribute(
        name,
        values.flatMap((value) => integer(8, value)),
        7,
      ),
    ),
  ];
}

function encodeValue([name, dims]: [string, readonly number[]]): Bytes {
  const shape = dims.flatMap((dim) => nested(1, integer(1, dim)));
  const float = [...integer(1, 1), ...nested(2, shape)];
  return [...text(1, name), ...nested(2, nested(1, float))];
}

export type Shapes = Record<string, readonly number[]>;

export interface Model {
  bytes: Uint8Array;
  inputs: Shapes;
  output: string;
}

function model(nodes: Node[], inputs: Shapes, [output, shape]: [string, readonly number[]]): Model {
  const graph = [
    ...nodes.flatMap((node) => nested(1, encodeNode(node))),
    ...text(2, "workload"),
    ...Object.entries(inputs).flatMap((input) => nested(11, encodeValue(input))),
    ...nested(12, encodeValue([output, shape])),
  ];
  const opset = nested(8, integer(2, 17));
  return { bytes: Uint8Array.from([...integer(1, 8), ...nested(7, graph), ...opset]), inputs, output };
}

export function matmulModel({ layout, M, N, K }: MatmulCase): Model {
  const inputs = { a: layout === "TN" ? [K, M] : [M, K], b: layout === "NT" ? [N, K] : [K, N] };
  const gemm = { transA: Number(layout === "TN"), transB: Number(layout === "NT") };
  return model([{ op: "Gemm", inputs: ["a", "b"], output: "c", integers: gemm }], inputs, ["c", [M, N]]);
}

/** The caller divides q by sqrt(D): the graph needs no constant then. */
export function attentionModel({ B, T, D }: AttentionCase): Model {
  const shape = [B, T, D];
  const nodes: Node[] = [
    { op: "Transpose", inputs: ["k"], output: "kt", lists: { perm: [0, 2, 1] } },
    { op: "MatMul", inputs: ["q", "kt"], output: "scores" },
    { op: "Softmax", inputs: ["scores"], output: "weights", integers: { axis: 2 } },
    { op: "MatMul", inputs: ["weights", "v"], output: "o" },
  ];
  return model(nodes, { q: shape, k: shape, v: shape }, ["o", shape]);
}
