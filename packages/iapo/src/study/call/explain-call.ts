// One call on one picture, and what a student and a teacher rest it on.
import type { BlockAttribution, BlockMethod } from "@iapo/attribution";
import type { Environment, PromptBlock, Turn } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import type { VisualContent, VisualTask } from "@iapo/vqa-tasks";
import { at } from "../../at.ts";
import type { AttributionModel, Call } from "../../scoring/model.ts";
import { rereadBy } from "../../scoring/reread.ts";
import { scoreCalls } from "../../scoring/score.ts";
import { findCall } from "../../scoring/span.ts";
import { promptUnits } from "../../scoring/units.ts";
import { type TeacherWriter, TokenizerCheck } from "../../teacher/teacher.ts";

export interface ExplainedCall {
  readonly task: VisualTask;
  readonly blocks: readonly PromptBlock[];
  readonly turn: Turn;
  /** False where the turn holds no program: then all that it says is explained. */
  readonly isCall: boolean;
  readonly student: BlockAttribution;
  readonly teacher: BlockAttribution | undefined;
}

export interface ExplainRequest {
  readonly task: VisualTask;
  readonly environment: Environment<VisualContent>;
  readonly student: { readonly model: AttributionModel; readonly policy: TeacherWriter["policy"] };
  readonly teacher: AttributionModel | undefined;
  /** What the student is taken to have written; without it, it writes at temperature 1. */
  readonly text: string | undefined;
  readonly seed: number;
  readonly maxTokens: number;
  readonly method: BlockMethod;
}

/** @throws IapoError `teacher` where the teacher reads the call's ids otherwise; what the models throw */
export async function explainCall(request: ExplainRequest): Promise<ExplainedCall> {
  const { task, environment, student, teacher, method } = request;
  const blocks = environment.prompt(task);
  const turn = await write(blocks, request);
  const found = findCall(turn, "code", student.model);
  const call: Call = found ?? { turn, targets: turn.lossMask };
  const units = promptUnits(blocks, turn, { kind: "per_tool" });
  if (teacher) new TokenizerCheck(student.model, teacher).check(call);
  const score = async (model: AttributionModel) => {
    const read = rereadBy(model, { calls: [call], units }, blocks, { kind: "per_tool" });
    return at(
      await scoreCalls(
        model,
        read.calls.flatMap((own) => own ?? []),
        read.units,
        method,
      ),
      0,
    );
  };
  return {
    ...{ task, blocks, turn, isCall: found !== undefined },
    student: await score(student.model),
    teacher: teacher && (await score(teacher)),
  };
}

async function write(blocks: readonly PromptBlock[], request: ExplainRequest): Promise<Turn> {
  const { student, text, seed, maxTokens, task } = request;
  const input = { freshPrompt: true, blocks };
  if (text !== undefined) return student.policy.transcribe(input, text);
  const session = await student.policy.open([input]);
  try {
    const seeds = [deriveSeed(seed, "attribute", task.id)];
    return at(await session.generate({ samples: 1, sampling: { temperature: 1 }, seeds, maxTokens }), 0);
  } finally {
    session.close();
  }
}
