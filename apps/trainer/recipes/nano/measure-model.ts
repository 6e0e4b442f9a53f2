// Measures a nano model's directory, as the README of nano-vl shows it.
//   node --conditions=@iapo/source apps/trainer/recipes/nano/measure-model.ts <directory> [int8]
import { openDevice } from "@iapo/tensor-core";
import { measureDirectory } from "./measure.ts";

const [directory, base] = process.argv.slice(2);
if (directory === undefined || (base !== undefined && base !== "int8")) {
  console.error("usage: measure-model.ts <directory of a model> [int8]");
  process.exit(2);
}
using device = await openDevice();
console.log(JSON.stringify(await measureDirectory(device, directory, { base }), null, 2));
