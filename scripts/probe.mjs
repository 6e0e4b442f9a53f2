// Prints the adapter that Dawn (npm package "webgpu") opens a device on; exits 2 when there is none.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// tensor-core depends on webgpu; under pnpm nobody else can resolve it.
const tensorCore = createRequire(new URL("../packages/tensor-core/package.json", import.meta.url));
const { create } = await import(pathToFileURL(tensorCore.resolve("webgpu")).href);
globalThis.dawn = create([]); // must outlive the adapter: collected early, it takes the process down
const adapter = await globalThis.dawn.requestAdapter();
if (adapter === null) {
  console.error("Dawn finds no WebGPU adapter");
  process.exit(2);
}
const device = await adapter.requestDevice();
const { vendor, architecture, description } = adapter.info;
console.log([vendor, architecture, description].filter(Boolean).join(" "));
device.destroy();
