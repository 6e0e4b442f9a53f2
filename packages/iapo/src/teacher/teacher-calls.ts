// Calls that the teacher writes itself, once per prompt, and what they rest on (`teacher_call`, docs/method.md F12 b).
import type { PromptBlock, Turn } from "@iapo/rollout-trace";
import { deriveSeed } from "@iapo/tensor-core";
import { at } from "../at.ts";
import type { IapoSettings } from "../config/types.ts";
import { IapoError } from "../error.ts";
import { inHalves } from "../in-halves.ts";
import type { Call } from "../scoring/model.ts";
import { scoreGroups } from "../scoring/score.ts";
import { blockMethod, partitionOptions } from "../scoring/settings.ts";
import { findCall } from "../scoring/span.ts";
import { promptUnits } from "../scoring/units.ts";
import { type CallCache, type ScoredCall, sha256 } from "./call-cache.ts";
import { type Teacher, type WritingTeacher, withTeacher } from "./teacher.ts";

export interface TeacherCallOptions {
  readonly settings: IapoSettings;
  /** Decides what a teacher samples; not read at temperature 0. */
  readonly seed: number;
  /** A call is at most so long. */
  readonly maxTokens: number;
}

type Prompt = readonly PromptBlock[];

export class TeacherCalls {
  readonly #teacher: WritingTeacher;
  readonly #options: TeacherCallOptions;
  readonly #cache: CallCache;

  /** @throws IapoError `teacher` for one that cannot write */
  constructor({ model, writer, use }: Teacher, options: TeacherCallOptions, cache: CallCache) {
    if (!writer) {
      throw new IapoError(
        "teacher",
        "a teacher whose own calls are asked for (teacher_call) needs a writer: its policy and id",
      );
    }
    this.#teacher = { model, writer, use };
    this.#options = options;
    this.#cache = cache;
  }

  /** The scored call to each prompt, from the cache where it is there. Prompts that are not are answered together. */
  async to(prompts: readonly Prompt[]): Promise<ScoredCall[]> {
    const keys = prompts.map((prompt) => this.#keyOf(prompt));
    const found = new Map<string, ScoredCall>();
    const missing = new Map<string, Prompt>();
    for (const [i, key] of keys.entries()) {
      const call = await this.#cache.get(key);
      if (call) found.set(key, call);
      else missing.set(key, at(prompts, i));
    }
    if (missing.size > 0) await withTeacher(this.#teacher, () => this.#make([...missing], found));
    return keys.flatMap((key) => found.get(key) ?? []);
  }

  /** Answers prompts, scores the answers, and keeps them. */
  async #make(
    missing: readonly (readonly [key: string, prompt: Prompt])[],
    found: Map<string, ScoredCall>,
  ): Promise<void> {
    const turns = await inHalves(this.#teacher.model.device, missing, (some) => this.#write(some));
    const calls = await this.#score(
      missing.map(([, prompt]) => prompt),
      turns,
    );
    for (const [i, [key]] of missing.entries()) {
      await this.#cache.set(key, at(calls, i));
      found.set(key, at(calls, i));
    }
  }

  /** Everything that decides a scored call. */
  #keyOf(prompt: Prompt): string {
    const { settings, seed, maxTokens } = this.#options;
    const { target, teacherTemperature: temperature } = settings;
    const { id, policy } = this.#teacher.writer;
    const { tokens, blocks, positions, patches } = policy.render(
      { freshPrompt: true, blocks: prompt },
      new Int32Array(0),
    );
    const names = prompt.map((block) => [block.id, block.kind, block.kind === "tool" ? block.tool : undefined]);
    const rendered = {
      tokens: [...tokens],
      blocks: [...blocks],
      positions: positions && [...positions],
      patches,
      names,
    };
    const method = [blockMethod(settings), partitionOptions(settings), target];
    const sampling = { temperature, maxTokens, seed: temperature > 0 ? seed : undefined };
    return sha256(JSON.stringify({ version: 1, id, rendered, method, sampling }));
  }

  async #write(prompts: readonly (readonly [key: string, prompt: Prompt])[]): Promise<Turn[]> {
    const { settings, seed, maxTokens } = this.#options;
    const session = await this.#teacher.writer.policy.open(
      prompts.map(([, blocks]) => ({ freshPrompt: true, blocks })),
    );
    try {
      return await session.generate({
        samples: 1,
        sampling: { temperature: settings.teacherTemperature },
        seeds: prompts.map(([key]) => deriveSeed(seed, "teacher_call", key)),
        maxTokens,
      });
    } finally {
      session.close();
    }
  }

  async #score(prompts: readonly Prompt[], turns: readonly Turn[]): Promise<ScoredCall[]> {
    const { settings } = this.#options;
    const { model } = this.#teacher;
    const written = turns.map((turn, i) => {
      const own = findCall(turn, settings.target, model);
      const call: Call = own ?? { turn, targets: turn.lossMask };
      return { isCall: own !== undefined, call, units: promptUnits(at(prompts, i), turn, partitionOptions(settings)) };
    });
    const groups = written.map(({ call, units }) => ({ calls: [call], units }));
    const scored = await scoreGroups(model, groups, blockMethod(settings));
    return written.map(({ isCall, call, units }, i) => {
      const scores = [...(at(at(scored, i), 0)?.blockScores ?? [])];
      return { text: call.turn.text, isCall, names: units.names, scores };
    });
  }
}
