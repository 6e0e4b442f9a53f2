// The reading of machine code, and the judgment of what a driver tells; that the kernels keep their bounds is a step of the full check.
import { expect, test } from "vitest";
import { bounds, others } from "../gpu-compile/bounds.ts";
import { hotShare, loopsOf, matrixMultipliesOf } from "../gpu-compile/machine-code.ts";
import { type CompiledKernel, judge } from "../gpu-compile/report.ts";

const code = `BB0:
\ts_mov_b32 s0, 0                       ; be800080
BB1:
\tv_mov_b32_e32 v1, 0                   ; 7e020280
BB2:
\ts_delay_alu instid0(VALU_DEP_1)       ; bf870001
\tv_fmac_f32_e32 v2, v3, v4             ; 56040903
\tv_fma_f32 v5, v6, v7, v5              ; d6130005
\ts_waitcnt lgkmcnt(0)                  ; bf89fc07
\tv_add_nc_u32_e32 v8, 1, v8            ; 4a101081
\ts_cbranch_scc1 BB2                    ; bfa2fff8
\tv_fma_f32 v5, v6, v7, v5              ; d6130005
\ts_cbranch_scc0 BB4                    ; bfa10004
\ts_branch BB1                          ; bfa0fff0
BB4:
BB5:
\tv_mul_f32_e32 v9, v9, v9              ; 10121309
\ts_branch BB5                          ; bfa0fffe
\0`;

test("loops are found without those within them, hints are no instructions, the hot loop is the one with the most multiply-adds", () => {
  expect(loopsOf(code)).toEqual([
    { instructions: 4, multiplyAdds: 2 },
    { instructions: 4, multiplyAdds: 1 },
    { instructions: 2, multiplyAdds: 0 },
  ]);
  expect(hotShare(code)).toBe(0.5);
  expect(matrixMultipliesOf(code)).toBe(0);
  expect(matrixMultipliesOf(`${code}\n\tv_wmma_f32_16x16x16_f16 v[2:9], v[10:17], v[18:25], v[2:9] ; cc404002`)).toBe(
    1,
  );
  expect(hotShare("BB0:\n\ts_endpgm ; bfb00000")).toBe(0);
});

test("spills, scratch memory, too many registers, too few multiply-adds, tensor cores left aside and bounds of no kernel are findings", () => {
  const kernel: CompiledKernel = {
    name: "a",
    registers: 64,
    spilled: 0,
    scratch: 0,
    multiplyAdds: 0.8,
    matrixMultiplies: 8,
  };
  const bound = { a: { registers: 64, multiplyAdds: 0.8, matrixMultiplies: 8 } };
  expect(judge([kernel], bound, others)).toEqual([]);
  const bad = { ...kernel, registers: 65, spilled: 2, scratch: 16, multiplyAdds: 0.79, matrixMultiplies: 7 };
  expect(judge([bad], { ...bound, b: others }, others)).toEqual([
    "a: 2 registers are spilled",
    "a: 16 bytes of a thread lie in scratch memory",
    "a: 65 registers a thread, 64 at most",
    "a: 79 % of its hot loop are multiply-adds, 80 % at least",
    "a: 7 instructions of tensor cores, not 8",
    "b has bounds, but the step does not use it",
  ]);
  expect(
    judge([{ ...kernel, name: "c", registers: others.registers + 1, matrixMultiplies: 0 }], {}, others),
  ).toHaveLength(1);
});

test("bounds are within what every RDNA3 card has", () => {
  for (const { registers } of [...Object.values(bounds), others]) expect(registers).toBeLessThanOrEqual(256);
});
