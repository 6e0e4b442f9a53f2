// NaN and infinity go through every op that doesn't say otherwise, in both kernel families.
import { afterAll, beforeAll, describe, test } from "vitest";
import { sizeOf } from "../src/dtype.ts";
import { type Device, type OpCase, openDevice } from "../src/index.ts";
import { registry } from "../src/ops/registry.ts";
import { checkNonFinite } from "../src/testing/index.ts";

const isSmall = ({ inputs, full = false }: OpCase<unknown>): boolean =>
  !full && inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0) < 5000;

describe.each(["software", "workgroup"] as const)("%s family", (family) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice({ family });
  });
  afterAll(() => device.close());

  test.each(registry.map((op) => [op.opName, op] as const))("%s", async (_name, op) => {
    for (const testCase of op.cases.filter(isSmall)) await checkNonFinite(device, op, testCase);
  });
});
