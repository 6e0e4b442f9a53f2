// What was found, in sentences: what is wrong first, then what is slow, then what the adapter is.
import { formatDuration } from "@iapo/run-report";
import { size } from "../consequences.ts";
import { foundOf, type KernelRow, type Parts, partNames } from "./report.ts";

/** Below these fractions of what the adapter allows a kernel is worth looking at. */
const floors: readonly (readonly [RegExp, number])[] = [
  [/^matmul_(few_rows|rows)/, 0.6],
  [/^matmul/, 0.35],
  [/^attention/, 0.3],
];

function floorOf(kernel: string): number | undefined {
  return floors.find(([pattern]) => pattern.test(kernel))?.[1];
}

export function verdictOf(parts: Parts): string[] {
  return [...unfinished(parts), ...wrong(parts), ...slow(parts), ...summary(parts)];
}

/** Whether results on this adapter can be trusted, as far as was looked. */
export function isSound(parts: Parts): boolean {
  return unfinished(parts).length === 0 && (foundOf(parts, "conformance")?.wrong.length ?? 0) === 0;
}

function unfinished(parts: Parts): string[] {
  return partNames.flatMap((name) => {
    const part = parts[name];
    return part && part.state !== "done"
      ? [`${name} ${part.state} after ${formatDuration(part.seconds)}: ${part.reason}`]
      : [];
  });
}

function wrong(parts: Parts): string[] {
  const [conformance, parity] = [foundOf(parts, "conformance"), foundOf(parts, "parity")];
  return [
    ...(conformance?.wrong ?? []).map((what) => `wrong: ${what}`),
    ...(parity && !parity.holds
      ? [
          `kernels that should agree to the bit do not (${parity.checks.flatMap(({ name, holds }) => (holds ? [] : [name])).join(", ")}): training computes old log-probs again`,
        ]
      : []),
  ];
}

function slow(parts: Parts): string[] {
  if (foundOf(parts, "adapters")?.software) return []; // small sizes say nothing
  const kernels = foundOf(parts, "kernels")?.kernels ?? [];
  const isSlow = ({ kernel, fractionOfLimit }: KernelRow): boolean => fractionOfLimit < (floorOf(kernel) ?? 0);
  return kernels
    .filter(isSlow)
    .map(
      ({ kernel, phase, microseconds, fractionOfLimit }) =>
        `${kernel} in ${phase}: ${microseconds.toFixed(0)} us a call, ${percent(fractionOfLimit)} of what the adapter allows`,
    );
}

function summary(parts: Parts): string[] {
  const [adapter, peaks, conformance] = [
    foundOf(parts, "adapters"),
    foundOf(parts, "peaks"),
    foundOf(parts, "conformance"),
  ];
  const [phases, memory, maths] = [foundOf(parts, "phases"), foundOf(parts, "memory"), foundOf(parts, "maths")];
  const peak = (name: string): string => {
    const figure = peaks?.[name];
    return figure ? `${figure.value.toPrecision(3)} ${figure.unit}` : "?";
  };
  const seconds = phases?.phases.reduce((sum, phase) => sum + phase.seconds, 0);
  return [
    ...(adapter
      ? [`${adapter.device || adapter.driver}: ${adapter.software ? "a software adapter" : "a GPU"}, ${adapter.driver}`]
      : []),
    ...(peaks
      ? [
          `at most ${peak("f32 multiply-add")}, ${peak("copy")} copied, ${peak("dispatch behind a dispatch")} a dispatch`,
        ]
      : []),
    ...(maths && !maths.fmaIsExact
      ? ["fma rounds twice: last bits are not those of adapters where it rounds once"]
      : []),
    ...(conformance
      ? [
          `${conformance.cases - conformance.wrong.length} of ${conformance.cases} cases of ops are right, ${conformance.left} were left for lack of time`,
        ]
      : []),
    ...(seconds ? [`a step of ${phases?.model} takes ${seconds.toFixed(2)} s`] : []),
    ...(memory ? [`${size(memory.held)} were allocated and written (${memory.ended})`] : []),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
