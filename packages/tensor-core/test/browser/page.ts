// The page of the browser check (tools/checks/browser.ts): runs the program on the page's devices and posts what came of it.
import { type Device, openDevice } from "@iapo/tensor-core";
import { checkOps, type OpReport, train } from "./program.ts";

export interface DeviceReport {
  readonly adapter: string;
  readonly family: string;
  readonly ops: readonly OpReport[];
  readonly milliseconds: number;
}

/** What the page posts: this, or what went wrong. */
export type PageReport =
  | {
      /** The device that the package opened, and its losses in training. */
      readonly opened: DeviceReport;
      readonly losses: readonly number[];
      /** A device that the page made, with no more than WebGPU's defaults, and handed in. */
      readonly handedIn: DeviceReport;
    }
  | { readonly error: string };

async function reportOf(device: Device): Promise<DeviceReport> {
  const start = performance.now();
  const { vendor, architecture, family } = device.facts;
  const ops = await checkOps(device);
  return { adapter: `${vendor} ${architecture}`, family, ops, milliseconds: performance.now() - start };
}

async function run(): Promise<PageReport> {
  const device = await openDevice();
  const losses = await train(device);
  const opened = await reportOf(device);
  device.close();

  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("the page finds no WebGPU adapter");
  const made = await adapter.requestDevice();
  const given = await openDevice({ device: made });
  const handedIn = await reportOf(given);
  given.close();
  made.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy(); // close() left the page's device open
  made.destroy();
  return { opened, losses, handedIn };
}

const report: PageReport = await run().catch((error: Error) => ({ error: error.stack ?? error.message }));
await fetch("/report", { method: "POST", body: JSON.stringify(report) });
