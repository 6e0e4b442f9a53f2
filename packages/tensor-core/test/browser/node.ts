// Node's half of the browser check (tools/checks/browser.ts): prints the losses that the page's are compared with, as JSON.
import { openDevice } from "@iapo/tensor-core";
import { train } from "./program.ts";

const device = await openDevice();
console.log(JSON.stringify(await train(device)));
device.close();
