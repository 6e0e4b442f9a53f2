// A model as a scorer of tokens.
import {
  type Image,
  identifyImage,
  type PromptBlock,
  type Scribe,
  type Trace,
  type Trajectory,
  type Turn,
  type TurnInput,
} from "@iapo/rollout-trace";
import type { Device } from "@iapo/tensor-core";
import { GrpoError } from "../error.ts";
import { at } from "../math/batch.ts";
import { scoreTraces } from "../update/score.ts";
import type { ScoreRequest, ScoringModel, ScoringTeacher, TokenScorer } from "./types.ts";

export interface TokenScorerOptions {
  readonly device: Device;
  /** Rows of one pass at most. */
  readonly microBatchTokens?: number | undefined;
  /** Tokens of a turn that the model writes at most. */
  readonly maxTokens: number;
}

export function tokenScorer({ model, use }: ScoringTeacher, options: TokenScorerOptions): TokenScorer {
  const { device, microBatchTokens, maxTokens } = options;
  const run = <T>(work: () => Promise<T>): Promise<T> => (use ? use(work) : work());
  return {
    async logProbs(requests) {
      if (requests.length === 0) return [];
      const asked = await Promise.all(requests.map((request) => trajectoryOf(model, request)));
      const places = [...Map.groupBy(asked.keys(), (i) => promptName(at(asked, i))).values()];
      const groups = places.map((group) => group.map((i) => at(asked, i)));
      const scores = await run(() => device.retryOutOfMemory(() => scoreTraces(model, groups, microBatchTokens)));
      device.trimPhase();
      const flat = scores.flat();
      const order = places.flat();
      return requests.map((_, i) => at(flat, order.indexOf(i)));
    },
    async firstTurns(traces) {
      const { open } = model;
      if (!open) throw new GrpoError("argument", "this model scores only: it writes no turn of its own");
      const prompts = new Map(traces.map((trace) => [promptName(trace), firstPrompt(trace)]));
      const texts = await run(() => written({ open: open.bind(model) }, [...prompts.values()], maxTokens));
      const names = [...prompts.keys()];
      return traces.map((trace) => at(texts, names.indexOf(promptName(trace))));
    },
  };
}

/** How many tokens a request asks about, its prompt and pictures made as for a model. @throws as `logProbs` of {@link TokenScorer} */
export async function writtenTokens(scribe: Scribe, request: ScoreRequest): Promise<number> {
  const { turns } = await trajectoryOf(scribe, request);
  return turns.reduce((sum, { logProbs }) => sum + logProbs.length, 0);
}

/** The blocks of the first turn's prompt. */
export function firstPrompt({ turns, blocks }: Trace): readonly PromptBlock[] {
  const last = turns[0]?.blocks.reduce((most, block) => Math.max(most, block), -1) ?? -1;
  return blocks.slice(0, last + 1);
}

async function trajectoryOf(model: Partial<Scribe>, request: ScoreRequest): Promise<Trajectory> {
  const { trace, prompt, text, picture } = request;
  const first = at(trace.turns, 0);
  const isChanged = prompt !== undefined || text !== undefined;
  const turns = isChanged ? [rendered(model, first, prompt ?? firstPrompt(trace), text)] : trace.turns;
  return { turns: picture ? await Promise.all(turns.map((turn) => withPictures(turn, picture))) : turns };
}

/** The first turn behind a prompt, with its own ids or those of a text, under its own temperature and banned ids. */
function rendered(model: Partial<Scribe>, turn: Turn, blocks: readonly PromptBlock[], text: string | undefined): Turn {
  const input: TurnInput = { freshPrompt: true, blocks };
  const ids = turn.tokens.filter((_, i) => turn.lossMask[i] === 1);
  const made = text === undefined ? model.render?.(input, ids) : model.transcribe?.(input, text);
  if (!made) throw new GrpoError("argument", "this model renders no prompt, so it scores traces as they are");
  return { ...made, temperature: turn.temperature, bannedIds: turn.bannedIds };
}

async function withPictures(turn: Turn, picture: NonNullable<ScoreRequest["picture"]>): Promise<Turn> {
  const images = await Promise.all(
    turn.images.map(async (image): Promise<Image> => {
      const { width, height, channels, data } = picture(image);
      if (width !== image.width || height !== image.height)
        throw new GrpoError(
          "argument",
          `a picture of ${width} x ${height} cannot stand for one of ${image.width} x ${image.height}`,
        );
      return identifyImage({ width, height, channels, data });
    }),
  );
  return { ...turn, images, patches: undefined };
}

/** Equal where the first prompts are, pictures included. */
function promptName({ turns }: Trajectory): string {
  const { tokens, lossMask, images } = at(turns, 0);
  return `${tokens.subarray(0, lossMask.indexOf(1)).join()} ${images.map(({ id }) => id).join()}`;
}

async function written(
  { open }: Required<Pick<ScoringModel, "open">>,
  prompts: readonly (readonly PromptBlock[])[],
  maxTokens: number,
): Promise<string[]> {
  const session = await open(prompts.map((blocks) => ({ freshPrompt: true, blocks })));
  try {
    const seeds = prompts.map((_, i) => [0, i] as const); // not read at temperature 0
    const turns = await session.generate({ samples: 1, sampling: { temperature: 0 }, seeds, maxTokens });
    return turns.map(({ text }) => text);
  } finally {
    session.close();
  }
}
