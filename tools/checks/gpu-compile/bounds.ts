// Bounds of the kernels where a step's time goes, on RDNA3: a little above what they take, a little below what they reach. Raise them with a kernel.
import type { Bound } from "./report.ts";

export const bounds: Readonly<Record<string, Bound>> = {
  "matmul_workgroup/nt": { registers: 48, multiplyAdds: 0.2 },
  "matmul_workgroup/nt/bf16": { registers: 48, multiplyAdds: 0.2 },
  "matmul_workgroup/nn": { registers: 48, multiplyAdds: 0.2 },
  "matmul_workgroup/nn/bf16": { registers: 48, multiplyAdds: 0.2 },
  "matmul_workgroup/tn": { registers: 48, multiplyAdds: 0.2 },
  "attention_forward/workgroup/columns2": { registers: 156, multiplyAdds: 0.7 },
  "attention_gradient/workgroup/columns2": { registers: 168, multiplyAdds: 0.6 },
};

/** Those that wait for memory, not for arithmetic. */
export const others: Bound = { registers: 72, multiplyAdds: 0 };
