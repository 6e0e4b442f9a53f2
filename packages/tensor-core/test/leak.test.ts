// The leak assertion itself.
import { expect, test } from "vitest";
import { openDevice, tanh, withTag } from "../src/index.ts";
import { expectNoLeak } from "../src/testing/index.ts";

test("what stays behind is an error that names its tag, and what goes is not", async () => {
  using device = await openDevice();
  using x = device.tensor([0.5], [1]);
  const value = await expectNoLeak(device, async () => {
    using y = tanh(x);
    return y.item();
  });
  expect(value).toBeCloseTo(Math.tanh(0.5), 6);
  const kept = expectNoLeak(device, () => void withTag("weights", () => tanh(x)));
  await expect(kept).rejects.toMatchObject({
    code: "leak",
    message: expect.stringMatching(/256 bytes.*weights \+256/),
  });
});
