// Every op against its f64 reference, its vjp against central differences, twice for equal bits: on the default device, and in the full check
// on both kernel families, without subgroups, and with no more than WebGPU's default limits.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Device, type DeviceOptions, openDevice } from "../src/index.ts";
import { registry } from "../src/ops/registry.ts";
import { checkCase } from "../src/testing/index.ts";

const full = process.env.IAPO_FULL === "1";
const devices: Readonly<Record<string, DeviceOptions>> = {
  default: {},
  ...(full
    ? {
        "workgroup family": { family: "workgroup" },
        "default limits": { limits: "default" },
        "no subgroups": { subgroups: false },
      }
    : {}),
};

describe.each(Object.entries(devices))("%s", (_name, options) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(options);
  });
  afterAll(() => device.close());

  describe.each(registry.map((op) => ({ op, name: op.opName })))("$name", ({ op }) => {
    test.each(op.cases.filter((c) => full || !c.full))("$name", async (testCase) => {
      const report = await checkCase(device, op, testCase);
      expect(report.forward).toBeLessThan(1);
    });
  });
});
