/** Writes a step group by group, some kilobytes each: `write-step.ts DIRECTORY STEP GROUPS`. Says how it ended. */
import { openStep, publishStep } from "../src/files/index.ts";
import { TraceError } from "../src/index.ts";
import { exampleStep } from "./episodes.ts";

const directory = process.argv[2]!;
const [step, groups] = [Number(process.argv[3]), Number(process.argv[4])];
const { traces } = (await exampleStep(step)).step;
try {
  const writer = await openStep(directory, step);
  for (let group = 0; group < groups; group++)
    await writer.group(traces.slice(0, 2).map((trace) => ({ ...trace, group })));
  await writer.finish();
  await publishStep(directory, step);
  console.log("written");
} catch (error) {
  if (!(error instanceof TraceError)) throw error;
  console.log(error.code, error.message);
}
