// Reads what RADV's compiler writes: blocks of instructions, one a line, and branches between them.

/** A loop: instructions that are issued each time round, those of loops within it apart, and how many of them are multiply-adds. */
export interface Loop {
  readonly instructions: number;
  readonly multiplyAdds: number;
}

const label = /^(BB\d+):/;
const branch = /^\ts_c?branch\w* (BB\d+)/;
const multiplyAdd = /\bv_(dual_|pk_)?(fma|fmac|fmamk|fmaak|mad|dot2)\w*_f(16|32)/;
const matrixMultiply = /^\tv_wmma_f32_/gm;
/** They tell the processor how to issue what comes, or wait; none takes a slot of its arithmetic. */
const hint = /^\ts_(delay_alu|nop|waitcnt\w*|clause|set_inst_prefetch_distance)\b/;

interface Range {
  readonly start: number;
  end: number;
}

/** The loops of a kernel, in order of their ends. */
export function loopsOf(code: string): Loop[] {
  const lines = code.replaceAll("\0", "").split("\n");
  const starts = new Map<string, number>();
  const loops: Range[] = [];
  for (const [at, line] of lines.entries()) {
    const name = label.exec(line)?.[1];
    if (name !== undefined) starts.set(name, at);
    const start = starts.get(branch.exec(line)?.[1] ?? "");
    if (start === undefined) continue; // forward
    const known = loops.find((loop) => loop.start === start);
    if (known) known.end = at;
    else loops.push({ start, end: at });
  }
  return loops.map((loop) => {
    const within = loops.filter((other) => other !== loop && other.start >= loop.start && other.end <= loop.end);
    const isOwn = (at: number): boolean => !within.some(({ start, end }) => at >= start && at <= end);
    const issued = lines
      .slice(loop.start, loop.end + 1)
      .filter((line, i) => line.startsWith("\t") && !hint.test(line) && isOwn(loop.start + i));
    return { instructions: issued.length, multiplyAdds: issued.filter((line) => multiplyAdd.test(line)).length };
  });
}

/** Of the loop with the most multiply-adds, where almost all of the time goes: their share of its instructions. */
export function hotShare(code: string): number {
  const [hot] = loopsOf(code).sort((a, b) => b.multiplyAdds - a.multiplyAdds);
  return hot && hot.instructions > 0 ? hot.multiplyAdds / hot.instructions : 0;
}

/** Instructions of tensor cores with sums in f32. */
export function matrixMultipliesOf(code: string): number {
  return [...code.matchAll(matrixMultiply)].length;
}
