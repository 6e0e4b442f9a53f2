// What a run that goes on does with a directory that is not as it was left: nothing published is lost, and each fault is named at the start.
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Device, openDevice } from "@iapo/tensor-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadCheckpoint, type TrainOptions } from "../src/index.ts";
import { lockDirectory } from "../src/run-directory/index.ts";
import { nanoPolicy } from "./support/nano.ts";
import { fingerprint, nanoRun } from "./support/run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** Checkpoints after the steps 2 and 3. */
const STEPS = 3;

let device: Device;
let root: string;
let whole: Record<string, string>;
beforeAll(async () => {
  device = await openDevice();
  root = await mkdtemp(join(tmpdir(), "grpo-restore-"));
  await nanoRun(device, { directory: join(root, "whole"), steps: STEPS });
  whole = await fingerprint(join(root, "whole"));
});
afterAll(async () => {
  device.close();
  await rm(root, { recursive: true, force: true });
});

async function copy(name: string): Promise<string> {
  const directory = join(root, name);
  await cp(join(root, "whole"), directory, { recursive: true });
  return directory;
}

const resume = (directory: string, more: Partial<TrainOptions> = {}) =>
  nanoRun(device, { directory, steps: STEPS, resume: true, ...more });

test.each(["moved away", "emptied"])(
  "checkpoints that are %s: the steps stay, and the run does not begin again",
  async (how) => {
    const directory = await copy(how);
    const [place, elsewhere] = [join(directory, "checkpoints"), join(root, `elsewhere ${how}`)];
    await rename(place, elsewhere);
    if (how === "emptied") await mkdir(place);
    await expect(resume(directory)).rejects.toMatchObject({
      code: "checkpoint",
      message: expect.stringMatching(/holds no checkpoint, but .*steps holds steps 0 to 2: .*put the checkpoints back/),
    });
    await rm(place, { recursive: true });
    await rename(elsewhere, place);
    expect(await fingerprint(directory)).toEqual(whole);
  },
);

test("without the last checkpoint, its steps are made again, compared, and told", async () => {
  const directory = await copy("one less");
  await rm(join(directory, "checkpoints/step-000003"), { recursive: true });
  const told: string[] = [];
  await resume(directory, { onWarning: (message) => told.push(message) });
  expect(told).toEqual(["steps 2 are behind the last checkpoint: they are made again, and must come out the same"]);
  expect(await fingerprint(directory)).toEqual(whole);
});

test("a step that comes out otherwise than it was published replaces nothing", async () => {
  const directory = await copy("otherwise");
  await rm(join(directory, "checkpoints/step-000003"), { recursive: true });
  const published = join(directory, "steps/step-000002.jsonl");
  await cp(join(directory, "steps/step-000001.jsonl"), published);
  const before = await readFile(published);
  await expect(resume(directory)).rejects.toMatchObject({ code: "inconsistent" });
  expect(await readFile(published)).toEqual(before);
});

test("a checkpoint by another name is refused by a resume and by a reader", async () => {
  const directory = await copy("renamed");
  const wrong = join(directory, "checkpoints/step-000009");
  await rename(join(directory, "checkpoints/step-000003"), wrong);
  const says = /step-000009 holds the checkpoint after 3 steps, not what its name says; call it step-000003 again/;
  await expect(resume(directory, { steps: 12 })).rejects.toThrow(says);
  const policy = await nanoPolicy(device);
  await expect(loadCheckpoint(policy, wrong)).rejects.toThrow(says);
  policy.model.dispose();
  await rename(wrong, join(directory, "checkpoints/step-000003"));
  expect(await fingerprint(directory)).toEqual(whole);
});

test("a flipped bit, wherever in whichever file of a checkpoint, is refused by the file's name", async () => {
  const checkpoint = join(await copy("bits"), "checkpoints/step-000003");
  const policy = await nanoPolicy(device);
  const places = process.env.IAPO_FULL === "1" ? 48 : 6;
  for (const name of await readdir(checkpoint)) {
    const file = join(checkpoint, name);
    const bytes = await readFile(file);
    for (let place = 0; place <= places; place++) {
      const at = Math.floor(((bytes.length - 1) * place) / places);
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << (place % 8)), at);
      await writeFile(file, damaged);
      await expect(loadCheckpoint(policy, checkpoint), `${name}, byte ${at}`).rejects.toMatchObject({
        code: "checkpoint",
        message: expect.stringContaining(`${checkpoint}/`),
      });
    }
    await writeFile(file, bytes);
  }
  await loadCheckpoint(policy, checkpoint);
  policy.model.dispose();
});

test("a damaged old step is named before training goes on; one that is missing is told", async () => {
  const directory = await copy("old step");
  const file = join(directory, "steps/step-000000.jsonl");
  const bytes = await readFile(file);
  const damaged = Buffer.from(bytes);
  damaged.writeUInt8(damaged.readUInt8(1000) ^ 1, 1000);
  await writeFile(file, damaged);
  await expect(resume(directory, { steps: STEPS + 1 })).rejects.toThrow(
    /step-000000\.jsonl, line \d+: .*restore a copy of the file, or delete it/,
  );
  expect(await readdir(join(directory, "steps"))).toHaveLength(STEPS);
  await rm(file);
  const told: string[] = [];
  expect(await resume(directory, { onWarning: (message) => told.push(message) })).toMatchObject({ step: STEPS });
  expect(told).toEqual([expect.stringMatching(/steps lacks steps 0: /)]);
});

test("the damaged only checkpoint is refused with an advice that works", async () => {
  const directory = await copy("only checkpoint");
  await rm(join(directory, "checkpoints/step-000002"), { recursive: true });
  await writeFile(join(directory, "checkpoints/step-000003/state.json"), "{}");
  await expect(resume(directory)).rejects.toThrow(
    /there is no checkpoint before it: to begin again, delete .*checkpoints and move .*steps elsewhere/,
  );
  await rm(join(directory, "checkpoints"), { recursive: true });
  await rename(join(directory, "steps"), join(root, "moved steps"));
  await resume(directory);
  expect(await fingerprint(directory)).toEqual(whole);
});

test("fewer steps than are done are refused", async () => {
  await expect(resume(join(root, "whole"), { steps: 1 })).rejects.toThrow(/has done 3 steps, and 1 are wanted/);
});

test("a directory that is deleted or taken while the run works in it ends the run, and is not written to", async () => {
  const directory = await copy("taken");
  const elsewhere = join(root, "gone");
  const onMetrics = (step: number) => (step === STEPS ? rename(directory, elsewhere) : undefined);
  const ended = resume(directory, {
    steps: STEPS + 3,
    checkpoint: { every: 1, keep: 1 },
    onMetrics: (step) => void onMetrics(step),
  });
  await expect(ended).rejects.toMatchObject({
    code: "missing",
    message: expect.stringMatching(/was deleted, moved or taken/),
  });
  await expect(readdir(directory)).rejects.toMatchObject({ code: "ENOENT" });
});

test("the lock of a run is its own, or its caller's", async () => {
  const directory = await copy("locked");
  const lock = await lockDirectory(directory);
  await expect(resume(directory)).rejects.toMatchObject({ code: "busy" });
  await resume(directory, { lock });
  await expect(resume(directory)).rejects.toMatchObject({ code: "busy" });
  await lock.release();
  await resume(directory);
  expect(await fingerprint(directory)).toEqual(whole);
});
