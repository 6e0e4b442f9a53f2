// What makes a row a bad one beyond its data: a prompt that the model's processor does not take.
import { modelDirectory } from "@iapo/qwen-vl-model";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import { loadProcessor, type Processor } from "@iapo/qwen-vl-model/processor";
import type { Environment, Task } from "@iapo/rollout-trace";
import { leftOutWords } from "@iapo/vqa-tasks/sources";
import type { JobTasks } from "../parts/own-environment.ts";
import { blockContent } from "../parts/prompt-content.ts";

/** The model's processor without the model. */
export async function openProcessor(model: ModelSource, options: { readonly signal: AbortSignal }): Promise<Processor> {
  const { minPixels, maxPixels } = model;
  const limits = { ...(minPixels !== undefined && { minPixels }), ...(maxPixels !== undefined && { maxPixels }) };
  return loadProcessor(await modelDirectory(model, options), limits);
}

/** For `openTasks`: the reason why a task's first prompt cannot be encoded, such as the sides of its picture. */
export function taskCheck(
  environment: Pick<Environment, "prompt">,
  processor: Pick<Processor, "encodeChat">,
): (task: Task) => string | undefined {
  return (task) => {
    try {
      processor.encodeChat([{ role: "user", content: environment.prompt(task).map(blockContent) }]);
      return undefined;
    } catch (error) {
      return `its prompt cannot be encoded: ${error instanceof Error ? error.message : String(error)}`;
    }
  };
}

/** Rows that are left out, as warnings of a run. */
export function leftOutWarnings({ train, validation }: JobTasks): string[] {
  const found = [leftOutWords(train, "data.files"), validation && leftOutWords(validation, "data.validation")];
  return found.filter((warning) => warning !== undefined);
}
