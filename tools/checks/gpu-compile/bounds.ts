// Bounds of the kernels where a step's time goes, on RDNA3: a little above what they take, a little below what they reach. Raise them with a kernel.
import type { Bound } from "./report.ts";

const wide: Bound = { registers: 120, multiplyAdds: 0.8 };
const square: Bound = { registers: 60, multiplyAdds: 0.68 };
const narrow: Bound = { registers: 84, multiplyAdds: 0.68 };
/** They wait for the weights: eight rows share what one reads. */
const fewRows: Bound = { registers: 108, multiplyAdds: 0.45 };
/** With the norm of the rows before it. */
const normedRows: Bound = { registers: 120, multiplyAdds: 0.4 };
const oneRow: Bound = { registers: 48, multiplyAdds: 0.2 };
/** By tensor cores: a panel's steps, each of 4 x 2 matrices, for two products of halves, or for three where weights have a low half. */
const inHalves: Bound = { registers: 256, multiplyAdds: 0, matrixMultiplies: 24 };
const ofBf16: Bound = { registers: 256, multiplyAdds: 0, matrixMultiplies: 32 };

export const bounds: Readonly<Record<string, Bound>> = {
  "matmul_panels/nt/128x64": wide,
  "matmul_panels/nt/bf16/128x64": wide,
  "matmul_panels/nn/128x64": wide,
  "matmul_panels/nn/bf16/128x64": wide,
  "matmul_panels/nt/64x64": square,
  "matmul_panels/nt/bf16/64x64": square,
  "matmul_panels/nn/bf16/64x64": square,
  "matmul_panels/tn/64x64": square,
  "matmul_panels/nt/64x32": narrow,
  "matmul_panels/nn/64x32": narrow,
  "matmul_panels/tn/64x32": narrow,
  "matmul_few_rows/8/16x8": fewRows,
  "matmul_few_rows/8/bf16/16x8": fewRows,
  "matmul_few_rows/8/bf16/16x8/lowRank": fewRows,
  "matmul_few_rows/8/16x8/norm": normedRows,
  "matmul_few_rows/8/bf16/16x8/norm/lowRank": normedRows,
  "matmul_few_rows/8/bf16/16x8/norm/lowRank/gate": normedRows,
  "matmul_few_rows/1/16x8": oneRow,
  "matmul_few_rows/1/bf16/16x8": oneRow,
  "matmul_few_rows/1/bf16/16x8/lowRank": oneRow,
  "attention_forward/workgroup/rows16/columns2": { registers: 156, multiplyAdds: 0.7 },
  "attention_forward/workgroup/rows32/columns2": { registers: 132, multiplyAdds: 0.72 },
  "attention_gradient/workgroup/rows32/columns2": { registers: 168, multiplyAdds: 0.7 },
  "attention_gradient_by_key/workgroup/rows16/columns2": { registers: 192, multiplyAdds: 0.66 },
  // Frozen weights in eight bits: widening takes a part of the instructions.
  "matmul_panels/nt/int8/128x64": { registers: 120, multiplyAdds: 0.78 },
  "matmul_panels/nn/int8/128x64": { registers: 120, multiplyAdds: 0.77 },
  "matmul_panels/nt/int8/64x64": { registers: 60, multiplyAdds: 0.65 },
  "matmul_few_rows/8/int8/16x8": { registers: 108, multiplyAdds: 0.4 },
  "matmul_few_rows/1/int8/16x8": { registers: 48, multiplyAdds: 0.14 },
  "matmul_few_rows/8/128x1": fewRows,
  "matmul_matrix/nt/bf16/16x16x16": ofBf16,
  "matmul_matrix/nn/bf16/16x16x16": ofBf16,
  "matmul_matrix/nt/16x16x16": inHalves,
  "matmul_matrix/nn/16x16x16": inHalves,
  "matmul_matrix/tn/16x16x16": inHalves,
  "matmul_matrix/nt/int8/16x16x16": inHalves,
  "matmul_matrix/nn/int8/16x16x16": inHalves,
};

/** Those that wait for memory, not for arithmetic. */
export const others: Bound = { registers: 72, multiplyAdds: 0 };
