// Every op against its f64 reference, its vjp against central differences, twice for equal bits: on the default device, and in the full check
// on both kernel families, without subgroups, and with no more than WebGPU's default limits.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Device, type DeviceOptions, openDevice } from "../src/index.ts";
import { registry } from "../src/ops/registry.ts";
import { checkCase } from "../src/testing/index.ts";

// The first test of a card's kernel compiles it, and a software adapter's compiler is slow on them.
vi.setConfig({ testTimeout: 600_000 });
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

const opened = new Map<string, Device>();
beforeAll(async () => {
  for (const [name, options] of Object.entries(devices)) opened.set(name, await openDevice(options));
});
afterAll(() => {
  for (const device of opened.values()) device.close();
});

// All devices by case: what a case's values are is worked out once.
describe.each(registry.map((op) => ({ op, name: op.opName })))("$name", ({ op }) => {
  describe.each(op.cases.filter((c) => full || !c.full))("$name", (testCase) => {
    test.each(Object.keys(devices))("%s", async (name) => {
      const report = await checkCase(opened.get(name)!, op, testCase);
      expect(report.forward).toBeLessThan(1);
    });
  });
});
