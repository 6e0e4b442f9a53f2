// One call on one picture, and what a student and a teacher rest it on.
import type { BlockAttribution, BlockMethod } from "@iapo/attribution";
import { type AttributionModel, type Call, findCall, promptUnits, scoreCalls, type TeacherWriter } from "@iapo/iapo";
import type { Environment, PromptBlock, Task, Turn } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import { TrainerError } from "../error.ts";

export interface Explained {
  readonly task: Task;
  readonly blocks: readonly PromptBlock[];
  readonly turn: Turn;
  /** False where the turn holds no program: then all that it says is explained. */
  readonly isCall: boolean;
  readonly student: BlockAttribution;
  readonly teacher: BlockAttribution | undefined;
}

export interface ExplainRequest {
  readonly task: Task;
  readonly environment: Environment;
  readonly student: { readonly model: AttributionModel; readonly policy: TeacherWriter["policy"] };
  readonly teacher: AttributionModel | undefined;
  /** What the student is taken to have written; without it, it writes at temperature 1. */
  readonly text: string | undefined;
  readonly seed: number;
  readonly maxTokens: number;
  readonly method: BlockMethod;
}

/** @throws AttributionError, QwenVLError; TrainerError `argument` where the teacher reads the call's ids otherwise */
export async function explainCall(request: ExplainRequest): Promise<Explained> {
  const { task, environment, student, teacher, method } = request;
  const blocks = environment.prompt(task);
  const turn = await write(blocks, request);
  const found = findCall(turn, "code", student.model);
  const call: Call = found ?? { turn, targets: turn.lossMask };
  const units = promptUnits(blocks, turn, { kind: "per_tool" });
  if (teacher) checkTokens(turn, student.model, teacher);
  const [own] = await scoreCalls(student.model, [call], units, method);
  const [other] = teacher ? await scoreCalls(teacher, [call], units, method) : [];
  return { task, blocks, turn, isCall: found !== undefined, student: own!, teacher: other };
}

async function write(blocks: readonly PromptBlock[], request: ExplainRequest): Promise<Turn> {
  const { student, text, seed, maxTokens, task } = request;
  const input = { freshPrompt: true, blocks };
  if (text !== undefined) return student.policy.transcribe(input, text);
  const session = await student.policy.open([input]);
  try {
    const seeds = [deriveSeed(seed, "attribute", task.id)];
    const [turn] = await session.generate({ samples: 1, sampling: { temperature: 1 }, seeds, maxTokens });
    return turn!;
  } finally {
    session.close();
  }
}

function checkTokens({ tokens }: Turn, student: AttributionModel, teacher: AttributionModel): void {
  for (const id of new Set(tokens)) {
    if (Buffer.compare(student.tokenBytes(id), teacher.tokenBytes(id)) === 0) continue;
    throw new TrainerError(
      "argument",
      `token ${id} means another text to the teacher, so it cannot explain the student's call`,
    );
  }
}
