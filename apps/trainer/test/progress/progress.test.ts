// What a run looks like: numbers, one line, JSON, and a screen that survives every resize.

import { formatDuration } from "@iapo/run-report";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Meter } from "../../src/progress/meter.ts";
import { createProgress } from "../../src/progress/progress.ts";
import { Screen } from "../../src/progress/screen.ts";
import { screenLines, stepLine } from "../../src/progress/words.ts";
import { VirtualTerminal } from "./virtual-terminal.ts";

const MIB = 2 ** 20;
const memory = () => ({
  ...{ liveBytes: 3 * MIB, reservedBytes: 5 * MIB },
  ...{ peakBytes: 1024 * MIB, peakReservedBytes: 1536 * MIB },
});
const metrics = { "reward/outcome": 0.25, tool_call_ratio: 1, "reward/tool_misuse": 0.5, tokens: 80 };

function meterAt(times: number[]): Meter {
  return new Meter({ steps: 10, tokensOf: ({ tokens = 0 }) => tokens, memory, now: () => times.shift()! });
}

test("pace and ETA count the steps of this process", () => {
  const meter = meterAt([1000, 3000, 7000]);
  meter.begin(4);
  expect(meter.read()).toMatchObject({ step: 4, eta: undefined, tokensPerSecond: undefined });
  meter.step(4, metrics);
  meter.step(5, metrics);
  expect(meter.read()).toMatchObject({ step: 6, secondsPerStep: 3, eta: 12, tokensPerSecond: 160 / 6 });
});

test("peaks are those of the process, though the device's begin anew with each step", () => {
  const meter = meterAt([0, 1000, 2000]);
  meter.begin(0);
  meter.step(0, { ...metrics, "memory/peak_gib": 2, "memory/peak_reserved_gib": 4 });
  meter.step(1, metrics);
  expect(meter.read()).toMatchObject({ gpuPeakBytes: 2048 * MIB, gpuPeakReservedBytes: 4096 * MIB });
});

test("a step as a line", () => {
  const meter = meterAt([0, 2000]);
  meter.begin(0);
  meter.step(0, metrics);
  expect(stepLine(meter.read())).toBe(
    "step 1/10  reward 0.250  tool calls 1.000  misuse 0.500  2.0 s/step  40 tokens/s  ETA 18 s  GPU 3 MiB of 5 MiB reserved  peaks 1.0 GiB of 1.5 GiB",
  );
  expect([5, 100, 12_345].map(formatDuration)).toEqual(["5 s", "2 min", "3 h 26 min"]);
});

test("JSON is one object a line, numbers that are none are null", () => {
  const lines: string[] = [];
  const io = { out: (text: string) => lines.push(text), note: () => {}, signal: new AbortController().signal };
  const progress = createProgress(io, { steps: 2, tokensOf: () => 8, memory, title: "a run", json: true });
  progress.phase("rollout");
  progress.begin(0);
  progress.step(0, { "reward/outcome": Number.NaN });
  progress.alarm({ name: "group_collapse", step: 0, numbers: { homogeneous_group_frac: 1 } });
  progress.close();
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event: "phase", phase: "rollout", step: 0 },
    { event: "step", step: 1, steps: 2, gpuBytes: 3 * 2 ** 20, metrics: { "reward/outcome": null } },
    { event: "alarm", name: "group_collapse", numbers: { homogeneous_group_frac: 1 } },
  ]);
});

test("a screen shows the last state below everything that was said, after any resizes", () => {
  const act = fc.oneof(
    fc.record({ columns: fc.integer({ min: 10, max: 120 }) }),
    fc.record({ say: fc.string({ unit: fc.constantFrom(..."ab ▃"), maxLength: 150 }) }),
    fc.record({ lines: fc.array(fc.string({ unit: fc.constantFrom(..."xy ▃"), maxLength: 150 }), { maxLength: 6 }) }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), (acts) => {
      const terminal = new VirtualTerminal(80);
      let lines: readonly string[] = ["begin"];
      const said: string[] = [];
      const screen = new Screen(terminal, () => lines);
      for (const one of acts) {
        if ("columns" in one) terminal.resize(one.columns);
        else if ("lines" in one) lines = one.lines;
        else {
          said.push(one.say);
          screen.print(one.say);
        }
        screen.draw();
        const cut = lines.map((line) =>
          Array.from(line)
            .slice(0, terminal.columns - 1)
            .join(""),
        );
        expect(terminal.lines).toEqual([...said, ...cut]);
      }
    }),
    { numRuns: process.env.IAPO_FULL ? 2000 : 200, seed: 1 },
  );
});

test("a run on a screen: bar, values, curve, alarms above", () => {
  const terminal = new VirtualTerminal(100);
  const io = { out: () => {}, note: () => {}, signal: new AbortController().signal, terminal };
  const progress = createProgress(io, { steps: 4, tokensOf: () => 8, memory, title: "iapo train a", json: false });
  progress.phase("load 10 %");
  progress.begin(0);
  for (const [i, reward] of [0.1, 0.4].entries()) progress.step(i, { ...metrics, "reward/outcome": reward });
  progress.alarm({ name: "noop_calls", step: 1, numbers: { "tool/noop_rate": 0.5 } });
  progress.phase("update");
  const bar = "=".repeat(20).padEnd(40);
  expect(terminal.lines.slice(0, 5)).toEqual([
    "! noop_calls at step 2: tool/noop_rate 0.500",
    "iapo train a",
    `step 2/4 [${bar}]  50 %  update`,
    "reward 0.400  tool calls 1.000  misuse 0.500",
    "reward ▂█",
  ]);
  terminal.resize(40);
  expect(terminal.lines[2]).toMatch(/^step 2\/4 \[={4} {4}\]/);
  progress.close();
  expect(screenLines("t", meterAt([]).read(), 80)[2]).toBe("the first step is at work");
});
