// Dawn as the peers expect it: navigator.gpu and the WebGPU constants are global, as in a browser.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const tensorCore = createRequire(new URL("../../../packages/tensor-core/package.json", import.meta.url));
const dawn = (await import(pathToFileURL(tensorCore.resolve("webgpu")).href)) as {
  create(flags: string[]): GPU;
  globals: object;
};

/** Kept by this module for the whole life of the process: Dawn must outlive its adapters. */
const gpu = dawn.create([]);

export function installNavigator(): GPU {
  Object.assign(globalThis, dawn.globals, { self: globalThis });
  const navigator = { userAgent: "Node", hardwareConcurrency: 2, gpu };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true, writable: true });
  return gpu;
}
