// The learner's fleet as what recipes ask for: units go out, what nobody does is left to the recipe.
import { join } from "node:path";
import type { Crew } from "@iapo/fleet";
import {
  type ComputedPiece,
  type Piece,
  type Recipe,
  type Rollout,
  type RolloutRequest,
  rolloutAt,
  type TrainablePolicy,
  type Workforce,
} from "@iapo/grpo";
import type { GrpoSettings } from "@iapo/grpo/config";
import type { ExplainElsewhere } from "@iapo/iapo";
import type { Environment, Trace } from "@iapo/rollout-trace";
import { appendLine } from "@iapo/rollout-trace/files";
import { packTraces } from "./traces.ts";
import {
  packConstants,
  packVersion,
  parseExplained,
  parsePiece,
  parseRollout,
  type Role,
  type Version,
} from "./units.ts";

export interface FleetParts {
  readonly crew: Crew;
  readonly policy: TrainablePolicy;
  readonly environment: Environment;
  readonly grpo: GrpoSettings;
  /** Rollouts stay with the learner: what a judge says is no function of seeds, and it keeps the record. */
  readonly isJudged: boolean;
}

export class FleetWorkforce implements Workforce {
  readonly #parts: FleetParts;
  readonly #version: { of: number; made: Promise<Version> | undefined } = { of: -1, made: undefined };

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  async rollout<Content>(
    { step, firstGroup, tasks, cursor }: RolloutRequest<Content>,
    signal?: AbortSignal,
  ): Promise<Rollout<Content> | undefined> {
    const { crew, isJudged, policy, environment, grpo } = this.#parts;
    if (isJudged || !crew.has("rollout")) return undefined;
    const version = await this.#current();
    let from = 0;
    const parts = this.#cut("rollout", tasks).map((some) => {
      const unit = { version, step, group: firstGroup + from, cursor: cursor + from, tasks: some.map(({ id }) => id) };
      from += some.length;
      return { some, unit };
    });
    const given = await Promise.all(
      parts.map(({ some, unit }) => {
        const asked = { step, group: unit.group, tasks: some, samples: grpo.rollout.samples, version: version.number };
        return crew.submit({ role: "rollout", header: unit, parse: (bytes) => parseRollout(bytes, asked) }, signal);
      }),
    );
    if (given.every((part) => part === undefined)) return undefined;
    const made: Rollout<Content>[] = [];
    for (const [i, { some, unit }] of parts.entries()) {
      const place = { step, firstGroup: unit.group, signal };
      made.push(given[i] ?? (await rolloutAt(policy, environment as Environment<Content>, some, grpo, place)));
    }
    return { groups: made.flatMap(({ groups }) => groups), failures: made.flatMap(({ failures }) => failures) };
  }

  readonly explain: ExplainElsewhere = (who, groups) => {
    const role = `explain-${who}` as const;
    const { crew } = this.#parts;
    if (!crew.has(role)) return [];
    const parts = this.#cut(role, groups);
    const asked = parts.map(async (some) => {
      const version = who === "student" ? await this.#current() : null;
      const header = { version, traces: await Promise.all(some.map((traces) => this.#blobOf(traces))) };
      const sizes = some.map(({ length }) => length);
      return crew.submit({ role, header, parse: (bytes) => parseExplained(bytes, sizes) });
    });
    return parts.flatMap((some, part) => some.map(async (_, i) => (await asked[part])?.[i]));
  };

  gradients(
    pieces: readonly Piece[],
    signal?: AbortSignal,
  ): readonly (Promise<ComputedPiece | undefined> | undefined)[] {
    if (pieces.length < 2 || !this.#parts.crew.has("gradient")) return [];
    return pieces.map((piece) => {
      if (!piece.share) return undefined;
      const asked = this.#gradient(piece, signal);
      asked.catch(() => {}); // a piece before it may have ended the step
      return asked;
    });
  }

  async #gradient({ groups, share }: Piece, signal: AbortSignal | undefined): Promise<ComputedPiece | undefined> {
    if (!share) return undefined;
    const { crew, policy } = this.#parts;
    const version = await this.#current();
    const piece =
      share.kind === "examples"
        ? share
        : {
            kind: share.kind,
            traces: await Promise.all(groups.map((traces) => this.#blobOf(traces as readonly Trace[]))),
            constants: await crew.blob(packConstants(share.constants)),
          };
    const turns = groups.flat().flatMap((trajectory) => trajectory.turns);
    const tokens = turns.reduce((sum, { logProbs }) => sum + logProbs.length, 0);
    return crew.submit(
      { role: "gradient", header: { version, piece }, parse: (bytes) => parsePiece(bytes, policy, tokens) },
      signal,
    );
  }

  /** As many parts as there are workers for a role, so that each computes together what it computes. */
  #cut<T>(role: Role, items: readonly T[]): T[][] {
    const workers = this.#parts.crew.members().filter((member) => member.roles.includes(role)).length;
    const count = Math.max(1, Math.min(workers, items.length));
    const at = (part: number): number => Math.floor((part * items.length) / count);
    return Array.from({ length: count }, (_, part) => items.slice(at(part), at(part + 1)));
  }

  /** The same traces have the same name, however often they are asked for. */
  async #blobOf(traces: readonly Trace[]): Promise<string> {
    return this.#parts.crew.blob(packTraces(traces));
  }

  /** The policy as it is now, where workers find it. */
  #current(): Promise<Version> {
    const { crew, policy } = this.#parts;
    const { version: number } = policy;
    if (this.#version.of !== number || !this.#version.made) {
      this.#version.of = number;
      this.#version.made = packVersion(policy).then(async (bytes) => ({ number, blob: await crew.version(bytes) }));
    }
    return this.#version.made;
  }
}

/** A recipe whose steps leave nothing in the fleet but a line of `fleet.jsonl`, which no hash covers: who did what. */
export function endingSteps<R extends Recipe>(recipe: R, crew: Crew, directory: string): R {
  return {
    ...recipe,
    async step(place) {
      const made = await recipe.step(place);
      await appendLine(join(directory, "fleet.jsonl"), { step: place.step, ...(await crew.endStep()) });
      return made;
    },
  };
}
