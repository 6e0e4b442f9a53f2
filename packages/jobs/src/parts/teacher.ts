// The teacher of a configuration, on the device all the time or in turns with the student.
import { failureOfPart } from "@iapo/grpo";
import type { TeacherWriter, WritingTeacher } from "@iapo/iapo";
import { type DifferentiablePolicy, modelDirectory, QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { ModelSource } from "@iapo/qwen-vl-model/config";
import type { Device } from "@iapo/tensor-core";
import type { TeacherSettings } from "../config/teacher.ts";
import { JobsError } from "../error.ts";
import { modelHash } from "./model-content.ts";

interface Loading {
  readonly signal?: AbortSignal | undefined;
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** It writes, explains, and scores the student's tokens. */
export type ScoringWriter = WritingTeacher & {
  readonly writer: TeacherWriter & { readonly policy: QwenVLPolicy };
  dispose(): void;
};

/** `recompute`: by default its activations are computed again in the backward pass of its scoring. */
type TeacherSource = ModelSource & { readonly recompute?: boolean };

/** As its settings say where. The caller disposes it. */
export function openTeacherOf(
  settings: TeacherSettings,
  { device, policy, ...loading }: Loading & { readonly device: Device; readonly policy: QwenVLPolicy },
): Promise<ScoringWriter> {
  return settings.residence === "turns"
    ? openTeacherInTurns(policy, settings, loading)
    : openTeacher(device, settings, loading);
}

/** Resident. The caller disposes it. */
export async function openTeacher(device: Device, source: TeacherSource, loading: Loading): Promise<ScoringWriter> {
  const { recompute = true } = source;
  const policy = await QwenVLPolicy.load(device, source, { ...loading, recompute, frozen: true }).catch((error) => {
    throw failureOfPart("load teacher", error);
  });
  try {
    return { ...(await teacherOf(policy, source, loading)), dispose: () => policy.model.dispose() };
  } catch (error) {
    policy.model.dispose();
    throw error;
  }
}

/**
 * On the device only while it is used, and while it is, frozen weights of a student with an adapter are not. It holds nothing in between.
 * `onPhase` hears who is loaded.
 */
async function openTeacherInTurns(
  student: QwenVLPolicy,
  source: TeacherSource,
  loading: Loading,
): Promise<ScoringWriter> {
  const { onPhase } = loading;
  const { recompute = true } = source;
  const policy = await QwenVLPolicy.load(student.device, source, { ...loading, recompute, residence: "turns" });
  const scoring = async <T>(work: () => Promise<T>): Promise<T> => {
    let isLoaded = false;
    onPhase?.("load teacher");
    try {
      return await policy.withWeights(() => {
        isLoaded = true;
        onPhase?.("teacher");
        return work();
      });
    } catch (error) {
      throw isLoaded ? error : failureOfPart("load teacher", error);
    } finally {
      onPhase?.("load student");
    }
  };
  return {
    ...(await teacherOf(policy, source, loading)),
    async use(work) {
      let isScored = false;
      try {
        return await student.withoutWeights(async () => {
          const result = await scoring(work);
          isScored = true;
          return result;
        });
      } catch (error) {
        throw isScored ? failureOfPart("load student", error) : error;
      } finally {
        onPhase?.("penalty");
      }
    },
    dispose: () => {},
  };
}

async function teacherOf(
  policy: QwenVLPolicy,
  source: ModelSource,
  loading: Loading,
): Promise<{ readonly model: DifferentiablePolicy; readonly writer: ScoringWriter["writer"] }> {
  const { dtype, base, minPixels, maxPixels } = source;
  const id = { weights: await weightsName(policy, source, loading), dtype, base, minPixels, maxPixels };
  return { model: policy.differentiable(), writer: { id: JSON.stringify(id), policy } };
}

/** A planning device asks nothing of the weights, so their files are not read. */
async function weightsName({ model }: QwenVLPolicy, source: ModelSource, loading: Loading): Promise<string> {
  if (source.initialize !== undefined) return `random ${source.initialize}`;
  return model.device.gpu ? modelHash(await modelDirectory(source, loading), loading.signal) : "planned";
}

/** @throws JobsError `config` where an id is another token to the teacher: log-probs of the student's ids would be of another text */
export function requireSameTokens(student: QwenVLPolicy, teacher: QwenVLPolicy): void {
  const [own, other] = [student.processor.tokenizer, teacher.processor.tokenizer];
  for (let id = 0; id < Math.max(own.size, other.size); id++) {
    const [one, two] = [own.bytes(id), other.bytes(id)];
    if (one.length === two.length && one.every((byte, i) => byte === two[i])) continue;
    const texts = [one, two].map((bytes) => JSON.stringify(new TextDecoder().decode(bytes)));
    throw new JobsError(
      "config",
      `token ${id} is ${texts[0]} to the model and ${texts[1]} to the teacher: only a teacher with the same tokenizer can score what the model writes`,
    );
  }
}
