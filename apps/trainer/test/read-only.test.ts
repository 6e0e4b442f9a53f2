// Every command that writes, on a disk that is read-only: it says so before the work, with what to do, and prints no result.
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { writingCommands } from "./support/commands.ts";
import { canFillDisk, onReadOnlyDisk } from "./support/full-disk.ts";
import { sharedFolder } from "./support/iapo.ts";
import { smallRun } from "./support/small-run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 180_000 });

const run = join(sharedFolder(), "run");
beforeAll(() => smallRun(run));

const { train, export: exporting, ...others } = writingCommands(run);

test
  .skipIf(!canFillDisk)
  .each(
    (process.env.IAPO_FULL === "1" ? [train, exporting, ...Object.values(others)] : [train, exporting]).map((args) => [
      args,
    ]),
  )("iapo %j", async (args) => {
  const { code, out, said, left } = await onReadOnlyDisk(args, {});
  expect(said).toMatch(
    /^iapo: .*disk\/made.*EROFS.*its disk is read-only: make it writable, or choose another place.*\(\w+\)$/m,
  );
  expect(said).not.toMatch(/^ +at .*\.[tj]s:|load the model/m);
  expect({ code, out, left }).toEqual({ code: 1, out: "", left: [] });
});
