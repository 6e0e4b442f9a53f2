// A worker's half of a job: its own copies of models and data, and what it is asked for by the learner.
import { FleetError, type Member, type UnitContext, unpackFrame } from "@iapo/fleet";
import {
  computePieces,
  examplesPiece,
  type Piece,
  policyPiece,
  rolloutAt,
  TaskOrder,
  type TaskSource,
} from "@iapo/grpo";
import { explainGroups } from "@iapo/iapo";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import type { Environment, Task, Trajectory } from "@iapo/rollout-trace";
import { type Device, deriveSeed } from "@iapo/tensor-core";
import type { z } from "zod";
import type { JobConfig } from "../config/schema.ts";
import { JobsError } from "../error.ts";
import { supervisedExamples } from "../job/supervised.ts";
import { specOf } from "../open-job.ts";
import { episodesOf } from "../parts/environment.ts";
import { userFunctions } from "../parts/functions.ts";
import { blockContent } from "../parts/prompt-content.ts";
import { openTeacher, openTeacherOf, type ScoringWriter } from "../parts/teacher.ts";
import { contentOf } from "../run/content.ts";
import { withinPromptLimit } from "../run/prompt-limit.ts";
import { openProcessor, taskCheck } from "../run/task-check.ts";
import { type AnnouncedOptions, openAnnounced } from "./announcement.ts";
import { factsOf } from "./facts.ts";
import { askingJudge } from "./judging.ts";
import { unpackTraces } from "./traces.ts";
import {
  type AskedPiece,
  explainUnit,
  gradientUnit,
  loadVersion,
  packExplained,
  packPieces,
  packRollout,
  parseConstants,
  type Role,
  rolloutUnit,
  type Version,
} from "./units.ts";

export interface MemberOptions extends AnnouncedOptions {
  readonly device: Device;
  /** Default: all that the job has. */
  readonly roles?: readonly Role[] | undefined;
  readonly signal: AbortSignal;
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** Models that are kept beside the learner's are needed only for these. */
const byPolicy: readonly Role[] = ["rollout", "explain-student", "gradient"];

/** @throws as `openAnnounced`; JobsError `config` where no role is left; what loading throws */
export async function openMember(announced: unknown, options: MemberOptions): Promise<Member> {
  const { device, signal, onPhase } = options;
  const { kind, config } = await openAnnounced(announced, options);
  const roles = rolesOf(kind, config, options.roles);
  const spec = specOf(kind, config);
  onPhase?.("data");
  const units: { at?: UnitContext } = {};
  const judge = config.judge && askingJudge((question) => units.at?.ask(question));
  const { environment, openTasks } = await episodesOf(config, judge);
  const processor = await openProcessor(config.model, { signal });
  const all = await openTasks({ check: taskCheck(environment, processor), signal });
  const { content } = await contentOf(config, all, { signal, onPhase });
  const countTokens = ({ blocks }: Parameters<NonNullable<QwenVLPolicy["countTokens"]>>[0]): number =>
    processor.encodeChat([{ role: "user", content: blocks.map(blockContent) }]).tokens.length;
  const limit = spec.promptLimit && { ...spec.promptLimit, environment, policy: { countTokens }, signal };
  const { tasks } = await withinPromptLimit(all, limit);
  onPhase?.("load the model");
  const load = { seed: spec.seed, signal, onPhase };
  await using parts = new AsyncDisposableStack();
  const policy = roles.some((role) => byPolicy.includes(role))
    ? await QwenVLPolicy.load(device, config.model, load)
    : undefined;
  if (policy) parts.defer(() => policy.model.dispose());
  const teacher = roles.includes("explain-teacher") ? await teacherOf(config, device, policy, options) : undefined;
  if (teacher) parts.defer(() => teacher.dispose());
  const worker = new JobWorker({
    ...{ config, environment, policy, teacher, device },
    order: new TaskOrder(tasks.train, deriveSeed(spec.seed, "order")),
    examples:
      kind === "sft" && policy && tasks.charts
        ? supervisedExamples(config, { policy, charts: tasks.charts, environment, length: tasks.train.length })
        : undefined,
    functions: await userFunctions(config.grpo.functions),
  });
  const owned = parts.move();
  return {
    roles,
    facts: factsOf(device, content),
    handle(role, header, context) {
      units.at = context; // a worker does one unit at a time
      return worker.handle(role, header, context);
    },
    close: () => owned.disposeAsync(),
  };
}

function teacherOf(
  { teacher }: JobConfig,
  device: Device,
  policy: QwenVLPolicy | undefined,
  loading: MemberOptions,
): Promise<ScoringWriter> | undefined {
  if (!teacher) return undefined;
  return policy ? openTeacherOf(teacher, { ...loading, device, policy }) : openTeacher(device, teacher, loading);
}

function rolesOf(kind: "train" | "sft", { iapo }: JobConfig, wanted: readonly Role[] | undefined): readonly Role[] {
  const explaining: readonly Role[] = iapo
    ? iapo.compare === "student_with_teacher"
      ? ["explain-student", "explain-teacher"]
      : ["explain-teacher"]
    : [];
  // What a step waits for last comes first: rollouts of steps to come may lie in the queue meanwhile.
  const all: readonly Role[] = kind === "sft" ? ["gradient"] : ["gradient", ...explaining, "rollout"];
  const roles = wanted ? all.filter((role) => wanted.includes(role)) : all;
  if (roles.length > 0) return roles;
  throw new JobsError(
    "config",
    `this run has work for ${all.join(", ")}, and this worker is to do ${wanted?.join(", ")} only`,
  );
}

interface JobWorkerParts {
  readonly config: JobConfig;
  readonly environment: Environment;
  readonly device: Device;
  readonly policy: QwenVLPolicy | undefined;
  readonly teacher: ScoringWriter | undefined;
  readonly order: TaskOrder<Task>;
  readonly examples: TaskSource<Trajectory> | undefined;
  readonly functions: Awaited<ReturnType<typeof userFunctions>>;
}

class JobWorker {
  readonly #parts: JobWorkerParts;
  readonly #examples: TaskOrder<Trajectory> | undefined;
  /** Of the policy; none yet is that of its files. */
  #loaded: string | undefined;

  constructor(parts: JobWorkerParts) {
    this.#parts = parts;
    const { examples, config } = parts;
    this.#examples = examples && new TaskOrder(examples, deriveSeed(config.supervised?.seed ?? 0, "order"));
  }

  async handle(role: string, header: unknown, context: UnitContext): Promise<Uint8Array> {
    switch (role) {
      case "rollout":
        return this.#rollOut(rolloutUnit.parse(header), context);
      case "explain-student":
      case "explain-teacher":
        return this.#explain(role, explainUnit.parse(header), context);
      case "gradient":
        return this.#gradient(gradientUnit.parse(header), context);
      default:
        throw new FleetError("invalid", `no worker of this version does ${role}`);
    }
  }

  async #rollOut(unit: z.infer<typeof rolloutUnit>, context: UnitContext): Promise<Uint8Array> {
    const { environment, config, order } = this.#parts;
    const policy = await this.#policyAt(unit.version, context);
    const { step, group: firstGroup, cursor } = unit;
    const tasks = await order.take(cursor, unit.tasks.length, context.signal);
    const other = tasks.findIndex(({ id }, i) => id !== unit.tasks[i]);
    if (other >= 0)
      throw new FleetError(
        "invalid",
        `task ${cursor + other} is ${tasks[other]?.id} here, and ${unit.tasks[other]} with the learner`,
      );
    const place = { step, firstGroup, signal: context.signal };
    return packRollout(await rolloutAt(policy, environment, tasks, config.grpo, place), tasks);
  }

  async #explain(
    role: "explain-student" | "explain-teacher",
    { version, traces: blobs }: z.infer<typeof explainUnit>,
    context: UnitContext,
  ): Promise<Uint8Array> {
    const { config, teacher } = this.#parts;
    if (!config.iapo) throw new FleetError("invalid", "this run explains nothing");
    const { iapo: settings } = config;
    const groups = await Promise.all(blobs.map(async (blob) => unpackTraces(unpackFrame(await context.blob(blob)))));
    if (role === "explain-student") {
      if (!version) throw new FleetError("invalid", "a unit for the student names no version of it");
      const policy = await this.#policyAt(version, context);
      return packExplained(await explainGroups("student", policy.differentiable(), groups, settings));
    }
    if (!teacher) throw new FleetError("invalid", "this worker has no teacher");
    const work = () => explainGroups("teacher", teacher.model, groups, settings);
    return packExplained(await (teacher.use ? teacher.use(work) : work()));
  }

  async #gradient({ version, pieces }: z.infer<typeof gradientUnit>, context: UnitContext): Promise<Uint8Array> {
    const policy = await this.#policyAt(version, context);
    const asked = await Promise.all(pieces.map((piece) => this.#pieceOf(piece, context)));
    return packPieces(await computePieces(policy, asked));
  }

  async #pieceOf(piece: AskedPiece, context: UnitContext): Promise<Piece> {
    const { config, functions, device } = this.#parts;
    if (piece.kind === "examples") {
      if (!this.#examples) throw new FleetError("invalid", "this run has no examples");
      return examplesPiece(await this.#examples.take(piece.cursor, piece.count, context.signal), piece.tokens);
    }
    const groups = await Promise.all(
      piece.traces.map(async (blob) => unpackTraces(unpackFrame(await context.blob(blob)))),
    );
    const constants = parseConstants(await context.blob(piece.constants));
    return policyPiece(device, groups, constants, { loss: config.grpo.loss, customLoss: functions.loss });
  }

  async #policyAt({ number, blob }: Version, context: UnitContext): Promise<QwenVLPolicy> {
    const { policy } = this.#parts;
    if (!policy) throw new FleetError("invalid", "this worker has no policy");
    if (this.#loaded !== blob) {
      loadVersion(policy, await context.blob(blob), number);
      this.#loaded = blob;
    }
    policy.version = number;
    return policy;
  }
}
