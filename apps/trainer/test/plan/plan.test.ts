// iapo plan: what it prints, as text and as JSON.
import { expect, test, vi } from "vitest";
import { expectRefusal, iapo } from "../support/iapo.ts";

vi.setConfig({ testTimeout: 180_000 });

const nano = ["model.directory=nano-base", "model.initialize=1", "teacher.directory=nano-base", "teacher.initialize=2"];
const small = ["grpo.groups=2", "grpo.rollout.samples=2", "grpo.rollout.maxTokens=6", "grpo.evaluate="];

test("iapo plan: bytes by part, the time of a step, and what to change where it does not fit", async () => {
  const args = ["plan", "nano-grpo", ...[...nano, ...small].flatMap((one) => ["--set", one])];
  const made = JSON.parse((await iapo([...args, "--json"])).out);
  expect(made).toMatchObject({ verdict: "fits", changes: [], probe: { groups: 2 } });
  expect(made.peakBytes).toBe(Math.max(...made.phases.map(({ peakBytes }: { peakBytes: number }) => peakBytes)));
  const times = made.probe.phases.map(({ seconds }: { seconds: number }) => seconds);
  expect(made.probe.secondsPerStep).toBeCloseTo(
    times.reduce((a: number, b: number) => a + b, 0),
    9,
  );

  const room = (0.8 * made.peakBytes) / 2 ** 30;
  const { code, out } = await iapo([...args, "--no-probe", "--memory", String(room)]);
  expect(code).toBe(0);
  expect(out).toMatch(/update .*\n[\s\S]*at most .*\ndoes not fit into .*\n[\s\S]* fits .* --set model.recompute=true/);
});

test("what is no amount of memory is refused", async () => {
  await expectRefusal(["plan", "nano-grpo", "--memory", "much"], 2, /It must be a number above 0/);
});
