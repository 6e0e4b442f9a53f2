// Every op against its f64 reference, its vjp against central differences, twice for equal bits.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, openDevice } from "../src/index.ts";
import { registry } from "../src/ops/registry.ts";
import { checkCase } from "../src/testing/index.ts";

const full = process.env.IAPO_FULL === "1";
let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe.each(registry.map((op) => ({ op, name: op.opName })))("$name", ({ op }) => {
  test.each(op.cases.filter((c) => full || !c.full))("$name", async (testCase) => {
    const report = await checkCase(device, op, testCase);
    expect(report.forward).toBeLessThan(1);
  });
});
