// Real charts and tables for the demo: tasks of published sets below a directory, half to train on, half held out.
import { join } from "node:path";
import type { Task } from "@iapo/rollout-trace";
import { writeData } from "../data/write-data.ts";
import { TrainerError } from "../error.ts";
import { openTestSet } from "../eval/open-set.ts";
import { type TestSetName, testSetNames } from "../eval/sets.ts";

/** Of charts and of tables: so many to train on, and as many held out. */
const OF_A_KIND = 30;

const kinds: readonly (readonly TestSetName[])[] = [
  ["h_bar", "v_bar"],
  ["vwtq", "vwtq_syn", "vtabfact"],
];

interface RealTasks {
  /** Files in this product's own form. */
  readonly train: string;
  readonly heldOut: string;
  readonly count: { readonly train: number; readonly heldOut: number };
}

/** @throws TrainerError `missing` where the directory has no set that can be read, with what each lacks */
export async function realTasks(data: string, directory: string, note: (text: string) => void): Promise<RealTasks> {
  const tasks: Task[] = [];
  const missing: string[] = [];
  for (const kind of kinds) {
    const ofKind: Task[] = [];
    for (const name of kind) {
      const set = await openTestSet(name, data);
      if ("missing" in set) {
        missing.push(`${name}: ${set.missing}`);
        continue;
      }
      const wanted = Math.ceil((2 * OF_A_KIND) / kind.length);
      let taken = 0;
      for await (const task of set.tasks()) {
        if (taken++ >= wanted) break;
        ofKind.push(task);
      }
      note(`${name}: ${Math.min(taken, wanted)} tasks`);
    }
    tasks.push(...ofKind);
  }
  if (tasks.length < testSetNames.length) {
    throw new TrainerError("missing", `${data} holds too few tasks for a demo\n  ${missing.join("\n  ")}`);
  }
  const [train, heldOut] = [0, 1].map((half) => tasks.filter((_, i) => i % 2 === half)) as [Task[], Task[]];
  return {
    train: (await writeData(stream(train), "tasks", join(directory, "train"))).file,
    heldOut: (await writeData(stream(heldOut), "tasks", join(directory, "held-out"))).file,
    count: { train: train.length, heldOut: heldOut.length },
  };
}

async function* stream(tasks: readonly Task[]): AsyncGenerator<Task> {
  yield* tasks;
}
