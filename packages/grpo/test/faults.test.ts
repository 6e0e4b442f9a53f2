// What goes wrong around a run: lost devices, full disks, tools that fail. It stops with its reason, and goes on to the same bytes.
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, replayStep, type Step } from "@iapo/rollout-trace";
import { readStep } from "@iapo/rollout-trace/files";
import { type Device, openDevice } from "@iapo/tensor-core";
import type { VisualContent } from "@iapo/vqa-tasks";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { GrpoParts } from "../src/index.ts";
import { ended, startRun } from "./support/process.ts";
import { fingerprint, nanoRun, replaying, rewarding } from "./support/run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** After the second step there is a checkpoint; the third one meets the fault. */
const STEPS = 3;

let device: Device;
let root: string;
let whole: Record<string, string>;
beforeAll(async () => {
  device = await openDevice();
  root = await mkdtemp(join(tmpdir(), "grpo-faults-"));
  const [begun, directory] = [join(root, "begun"), join(root, "whole")];
  const onMetrics = (step: number): void => {
    if (step === 2) cpSync(directory, begun, { recursive: true });
  };
  await nanoRun(device, { directory, steps: STEPS, onMetrics });
  await rm(join(begun, "steps/step-000002.jsonl.partial"));
  for (const name of await readdir(begun)) if (name.endsWith(".lock")) await rm(join(begun, name));
  whole = await fingerprint(join(root, "whole"));
});
afterAll(async () => {
  device.close();
  await rm(root, { recursive: true, force: true });
});

async function goesOn(directory: string): Promise<void> {
  await nanoRun(device, { directory, steps: STEPS, resume: true });
  expect(await fingerprint(directory)).toEqual(whole);
}

/** The environment with a fault before each of its answers. */
function faulty(fault: (call: number) => void | Promise<void>): Environment<VisualContent> {
  let call = 0;
  return {
    ...rewarding,
    async step(...turn) {
      await fault(call++);
      return rewarding.step(...turn);
    },
  };
}

describe("a lost device", () => {
  /** Steps 0 and 1 have 6 samples each, of one or two turns: step 2 has begun by the 25th answer. A step has two updates. */
  const moments: Record<
    string,
    (destroy: () => void) => Partial<GrpoParts<VisualContent>> & { onMetrics?: (step: number) => void }
  > = {
    "amid rollouts": (destroy) => ({ environment: faulty((call) => (call === 26 ? destroy() : undefined)) }),
    "amid an update": (destroy) => ({
      learner: {
        learningRate: (step) => {
          if (step === 5) destroy();
          return 1e-3;
        },
      },
    }),
    "before a checkpoint": (destroy) => ({ onMetrics: (step) => (step === 1 ? destroy() : undefined) }),
  };

  test.each(Object.keys(moments))("%s", async (moment) => {
    const directory = join(root, moment.replaceAll(" ", "-"));
    const doomed = await openDevice();
    const { onMetrics, ...parts } = moments[moment]!(() => doomed.gpu!.destroy());
    const run = nanoRun(doomed, { directory, steps: STEPS, ...(onMetrics && { onMetrics }) }, {}, parts);
    await expect(run).rejects.toMatchObject({
      code: "device_lost",
      message: expect.stringMatching(/device was lost|reading back/),
    });
    doomed.close();
    await goesOn(directory);
  });
});

test("a tool that fails stops the run under `stop`, naming group and sample; mended, it goes on", async () => {
  const directory = join(root, "tool");
  const environment = faulty((call) => {
    if (call === 26) throw new Error("the font is missing");
  });
  await expect(nanoRun(device, { directory, steps: STEPS }, {}, { environment })).rejects.toMatchObject({
    code: "rollout",
    message: expect.stringMatching(
      /group \d, sample \d, task \S+ failed: the font is missing; correct its cause.*grpo\.rollout\.onFailure/,
    ),
  });
  await goesOn(directory);
});

/** A small file system of one's own needs no rights where user namespaces are allowed. */
const [unshare, ...privately] = ["unshare", "-rm"] as const;
const canMount = spawnSync(unshare, [...privately, "mount", "-t", "tmpfs", "tmpfs", tmpdir()]).status === 0;

/** Goes on with the run in `begun` on a disk with so many bytes of room; what it leaves is put in `left`. */
const onFullDisk = `disk=$1 begun=$2 left=$3 room=$4; shift 4
mount -t tmpfs -o size=32m tmpfs "$disk" && cp -r "$begun" "$disk/run" && cat /dev/zero > "$disk/filler" 2> /dev/null
truncate -s -$room "$disk/filler" && "$@"; code=$?; cp -r "$disk/run" "$left"; exit $code`;

test.skipIf(!canMount && process.env.IAPO_FULL !== "1").each([
  [
    "traces are",
    8192,
    /TraceError: .*step-000002\.jsonl\.partial cannot be written: .*ENOSPC.*make room on its disk, then resume/,
  ],
  [
    "a checkpoint is",
    2 ** 20,
    /GrpoError: .*step-000003 cannot be written: .*ENOSPC.*make room on its disk, then resume/,
  ],
] as const)("a full disk while %s written: what was there stands, and with room the run goes on", async (...test) => {
  const [what, room, message] = test;
  const [begun, disk, left] = ["begun", "disk", "left"].map((name) => join(root, `${what} ${name}`));
  await cp(join(root, "begun"), begun!, { recursive: true });
  await mkdir(disk!);
  const launcher = [unshare, ...privately, "sh", "-c", onFullDisk, "sh", disk!, begun!, left!, `${room}`];
  const { errors } = await ended(startRun("run.ts", [join(disk!, "run"), String(STEPS)], launcher));
  expect(errors).toMatch(message);
  const { "steps/step-000002.jsonl.partial": unpublished, ...after } = await fingerprint(left!);
  expect(after).toEqual(await fingerprint(begun!));
  expect(unpublished).toBe(room > 8192 ? whole["steps/step-000002.jsonl"] : undefined);
  await goesOn(left!);
});

test("a corrupted trace is named by file and line", async () => {
  const directory = join(root, "corrupted");
  await cp(join(root, "whole"), directory, { recursive: true });
  const file = join(directory, "steps/step-000001.jsonl");
  const bytes = await readFile(file);
  for (const share of [0.01, 0.3, 0.7, 0.99]) {
    const at = Math.floor(share * bytes.length);
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1;
    await writeFile(file, damaged);
    const line = bytes.subarray(0, at).filter((byte) => byte === 0x0a).length + 1;
    await expect(readStep(file)).rejects.toThrow(`${file}, line ${line}: `);
  }
});

test("a number that was altered, its file being whole, is named by the replay", async () => {
  const step = await readStep(join(root, "whole/steps/step-000001.jsonl"));
  expect((await replayStep(step, replaying)).difference).toBeUndefined();
  const { traces, log } = step;
  const [update, ...updates] = log.updates;
  const { group, sample } = update!.samples[1]!;
  const altered: [object, Step][] = [
    [
      { what: "reward", group: 0, sample: 2 },
      {
        ...step,
        traces: traces.map((trace, i) => (i === 2 ? { ...trace, rewards: { ...trace.rewards, outcome: 7 } } : trace)),
      },
    ],
    [
      { what: "advantage", group: 1, sample: 1 },
      {
        ...step,
        log: {
          ...log,
          samples: log.samples.map((one, i) =>
            i === 4 ? { ...one, advantages: one.advantages.map((value) => -value) } : one,
          ),
        },
      },
    ],
    [
      { what: "loss", update: 0 },
      {
        ...step,
        log: {
          ...log,
          updates: [
            {
              ...update!,
              samples: update!.samples.map((one) =>
                one.group === group && one.sample === sample
                  ? { ...one, logProbs: one.logProbs.map((value) => value - 0.1) }
                  : one,
              ),
            },
            ...updates,
          ],
        },
      },
    ],
  ];
  for (const [place, wrong] of altered) expect((await replayStep(wrong, replaying)).difference).toMatchObject(place);
});
