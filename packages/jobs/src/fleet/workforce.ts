// The learner's fleet as what recipes ask for: units go out, what nobody does is left to the recipe.
import { join } from "node:path";
import type { Crew, CrewStep } from "@iapo/fleet";
import {
  type ComputedPieces,
  type GradientPart,
  type Piece,
  type PieceShare,
  type Recipe,
  type Rollout,
  type RolloutRequest,
  rolloutAt,
  type TrainablePolicy,
  type Workforce,
} from "@iapo/grpo";
import type { GrpoSettings } from "@iapo/grpo/config";
import type { ExplainElsewhere } from "@iapo/iapo";
import type { Environment, Task, Trace } from "@iapo/rollout-trace";
import { appendLine } from "@iapo/rollout-trace/files";
import { packTraces } from "./traces.ts";
import {
  type AskedPiece,
  packConstants,
  packVersion,
  parseExplained,
  parsePieces,
  parseRollout,
  type Role,
  type Version,
} from "./units.ts";

export interface FleetParts {
  readonly crew: Crew;
  readonly policy: TrainablePolicy;
  readonly environment: Environment;
  readonly grpo: GrpoSettings;
}

type SharedPiece = Pick<Piece, "groups"> & { readonly share: PieceShare };

/** Rollouts that were asked for, by part; undefined where nobody is left who makes it. */
interface Asked<Content> {
  readonly parts: readonly { readonly tasks: readonly Task<Content>[]; readonly group: number }[];
  readonly given: readonly (Rollout<Content> | undefined)[];
}

export class FleetWorkforce implements Workforce {
  readonly #parts: FleetParts;
  readonly #version: { of: number; made: Promise<Version> | undefined } = { of: -1, made: undefined };
  /** By step, rollouts that were handed out before it. */
  readonly #ahead = new Map<number, Promise<Asked<unknown> | undefined>>();

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  async rollout<Content>(
    request: RolloutRequest<Content>,
    signal?: AbortSignal,
  ): Promise<Rollout<Content> | undefined> {
    const { policy, environment, grpo } = this.#parts;
    const { step } = request;
    const before = this.#ahead.get(step) as Promise<Asked<Content> | undefined> | undefined; // of the same run
    this.#ahead.delete(step);
    const asked = await (before ?? this.#askFor(request, signal));
    await this.#version.made; // of steps to come: an update must not meet weights that are being read
    if (!asked || asked.given.every((part) => part === undefined)) return undefined;
    const made: Rollout<Content>[] = [];
    for (const [i, { tasks, group: firstGroup }] of asked.parts.entries()) {
      const here = () =>
        rolloutAt(policy, environment as Environment<Content>, tasks, grpo, { step, firstGroup, signal });
      made.push(asked.given[i] ?? (await here()));
    }
    return { groups: made.flatMap(({ groups }) => groups), failures: made.flatMap(({ failures }) => failures) };
  }

  /** Hands out the rollouts of a step to come, by the policy as it is now; once for each step. */
  rolloutAhead<Content>(
    step: number,
    request: () => Promise<Omit<RolloutRequest<Content>, "step">>,
    signal?: AbortSignal,
  ): void {
    if (this.#ahead.has(step) || !this.#parts.crew.has("rollout")) return;
    const version = this.#current();
    const asked = request().then((given) => this.#askFor({ ...given, step }, signal, version));
    asked.catch(() => {}); // it is told when the step takes it
    this.#ahead.set(step, asked);
  }

  async #askFor<Content>(
    { step, firstGroup, tasks: all, cursor }: RolloutRequest<Content>,
    signal: AbortSignal | undefined,
    at?: Promise<Version>,
  ): Promise<Asked<Content> | undefined> {
    const { crew, grpo } = this.#parts;
    if (!crew.has("rollout")) return undefined;
    const version = await (at ?? this.#current());
    let from = 0;
    const parts = this.#cut("rollout", all).map((tasks) => {
      const part = { tasks, group: firstGroup + from, cursor: cursor + from };
      from += tasks.length;
      return part;
    });
    const given = await Promise.all(
      parts.map(({ tasks, group, cursor: place }) => {
        const header = { version, step, group, cursor: place, tasks: tasks.map(({ id }) => id) };
        const asked = { step, group, tasks, samples: grpo.rollout.samples, version: version.number };
        const label = `rollout of step ${step}, ${groupsText(group, tasks.length)}`;
        return crew.submit({ role: "rollout", label, header, parse: (bytes) => parseRollout(bytes, asked) }, signal);
      }),
    );
    return { parts, given };
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
      return crew.submit({ role, label: labelOf(role, some), header, parse: (bytes) => parseExplained(bytes, sizes) });
    });
    return parts.flatMap((some, part) => some.map(async (_, i) => (await asked[part])?.[i]));
  };

  /** One worker's share of the pieces goes out as one unit, the first ones; the others are units of their own. */
  gradients(pieces: readonly Piece[], signal?: AbortSignal): readonly GradientPart[] | undefined {
    if (pieces.length < 2 || !this.#parts.crew.has("gradient")) return undefined;
    const shared = pieces.flatMap(({ groups, share }) => (share ? [{ groups, share }] : []));
    if (shared.length < pieces.length) return undefined;
    const [first = [], ...rest] = this.#cut("gradient", shared);
    return [first, ...rest.flat().map((piece) => [piece])].map((own) => {
      const computed = this.#gradient(own, signal);
      computed.catch(() => {}); // a part before it may have ended the step
      return { pieces: own.length, computed };
    });
  }

  async #gradient(
    pieces: readonly SharedPiece[],
    signal: AbortSignal | undefined,
  ): Promise<ComputedPieces | undefined> {
    const { crew, policy } = this.#parts;
    const header = {
      version: await this.#current(),
      pieces: await Promise.all(pieces.map((piece) => this.#askedPiece(piece))),
    };
    const tokens = pieces.map(({ groups }) => {
      const turns = groups.flat().flatMap((trajectory) => trajectory.turns);
      return turns.reduce((sum, { logProbs }) => sum + logProbs.length, 0);
    });
    const traces = pieces.flatMap((piece) => (piece.share.kind === "examples" ? [] : tracesOf(piece)));
    const label = traces.length === 0 ? "gradient" : labelOf("gradient", traces);
    const parse = (bytes: Uint8Array): ComputedPieces => parsePieces(bytes, policy, tokens);
    return crew.submit({ role: "gradient", label, size: pieces.length, header, parse }, signal);
  }

  async #askedPiece(piece: SharedPiece): Promise<AskedPiece> {
    const { share } = piece;
    if (share.kind === "examples") return share;
    return {
      kind: share.kind,
      traces: await Promise.all(tracesOf(piece).map((traces) => this.#blobOf(traces))),
      constants: await this.#parts.crew.blob(packConstants(share.constants)),
    };
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

/** What updates are made of, beside examples. */
function tracesOf({ groups }: SharedPiece): readonly (readonly Trace[])[] {
  return groups as readonly (readonly Trace[])[];
}

/** Such as `gradient of step 3, group 1`. */
function labelOf(role: string, groups: readonly (readonly Trace[])[]): string {
  const numbers = groups.flatMap(([first]) => first?.group ?? []);
  return `${role} of step ${groups[0]?.[0]?.step}, ${numbers.length === 1 ? "group" : "groups"} ${numbers.join(", ")}`;
}

/** Of groups one after another. */
function groupsText(first: number, count: number): string {
  return count === 1 ? `group ${first}` : `groups ${first} to ${first + count - 1}`;
}

/** A recipe whose steps leave nothing in the fleet but a line of `fleet.jsonl`, which no hash covers: who did what. */
export function endingSteps<R extends Recipe>(
  recipe: R,
  crew: Crew,
  directory: string,
  onStep: (done: CrewStep) => void,
): R {
  return {
    ...recipe,
    async step(place) {
      const made = await recipe.step(place);
      const done = await crew.endStep();
      await appendLine(join(directory, "fleet.jsonl"), { step: place.step, ...done });
      onStep(done);
      return made;
    },
  };
}
