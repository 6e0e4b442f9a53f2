// Measures a nano model's directory, as the README of nano-vl shows it.
//   node --conditions=@iapo/source apps/trainer/recipes/nano/measure-model.ts <directory> [int8|in_context]
import { openDevice } from "@iapo/tensor-core";
import { measureDirectory } from "./measure.ts";
import { inContext } from "./stages.ts";

const [directory, how] = process.argv.slice(2);
if (directory === undefined || (how !== undefined && how !== "int8" && how !== "in_context")) {
  console.error("usage: measure-model.ts <directory of a model> [int8|in_context]");
  process.exit(2);
}
using device = await openDevice();
const options = {
  base: how === "int8" ? how : undefined,
  world: how === "in_context" ? inContext : undefined,
} as const;
console.log(JSON.stringify(await measureDirectory(device, directory, options), null, 2));
