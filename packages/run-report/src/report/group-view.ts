// A group of samples as the page shows it, of bounded size.
import type { ImageRef, SampleLog, ToolOutcome, Trace, TurnAdvantage, UpdateSample } from "@iapo/rollout-trace";
import { z } from "zod";
import type { GroupData, ImageData, SampleData, TokenData, ToolData, TurnData } from "../page/data.ts";
import { meanAdvantage } from "../runs/mean-advantage.ts";
import { evenly, type SampledGroup } from "../runs/sampled-groups.ts";
import { arithmeticOf, type Scored } from "./arithmetic.ts";
import { blockShares, evidenceParts, promptBlocks } from "./evidence.ts";

const longestText = 4000;
const mostNames = 50;
/** A turn of more is shown as text, and cut. */
const mostPieces = 2000;

export interface GroupViewOptions {
  /** Default 4; they lie evenly between the best and the worst one. */
  readonly mostSamples?: number | undefined;
  /** The texts of token ids, where they are known. */
  readonly tokenTexts?: ((ids: Int32Array) => readonly string[]) | undefined;
  /** Whose attribution the prompt shows. */
  readonly attributed?: number | undefined;
  readonly href?: ((sample: number) => string) | undefined;
  /** Where the whole text of a turn is. */
  readonly wholeText?: ((sample: number, turn: number) => string) | undefined;
}

export function groupView(
  run: string,
  { step, traces, logs, updates }: SampledGroup,
  options: GroupViewOptions = {},
): { data: GroupData; images: ImageRef[] } {
  const { mostSamples = 4 } = options;
  const [first] = traces as [Trace<ImageRef>];
  const { task } = first;
  const { question = queryOf(first), answers = [] } = knownContent.catch({}).parse(task.content);
  const image = first.blocks.find((block) => block.kind === "image")?.image;
  const rewardOf = ({ sample, rewards }: Trace<ImageRef>): number =>
    logs.get(sample)?.shapedReward ?? rewards.outcome ?? Number.NEGATIVE_INFINITY;
  const ranked = traces.length <= mostSamples ? traces : [...traces].sort((a, b) => rewardOf(b) - rewardOf(a));
  const shown = evenly(ranked, mostSamples);
  const scored = traces.flatMap((trace): Scored[] => {
    const log = logs.get(trace.sample);
    return log ? [{ trace, log }] : [];
  });
  const attributed = scored.find(({ trace }) => trace.sample === options.attributed);
  const shares = attributed ? blockShares(attributed.log, attributed.trace) : [];
  const data: GroupData = {
    run,
    step,
    group: first.group,
    task: {
      id: cut(task.id),
      source: cut(task.source),
      question: cut(question),
      answers: answers.slice(0, mostNames).map(cut),
      image: image && imageData(image),
    },
    blocks: promptBlocks(first).map((block, i) => ({
      kind: block.kind,
      shares: shares[i],
      ...(block.kind === "image"
        ? { name: cut(block.id) }
        : { name: cut(block.tool ?? block.kind), text: cut(block.text) }),
    })),
    size: traces.length,
    samples: shown.map((trace) =>
      sampleView(trace, logs.get(trace.sample), updates.get(trace.sample), scored, options),
    ),
  };
  const edited = shown.flatMap(({ toolOutcomes }) => toolOutcomes.flatMap(({ image }) => image ?? []));
  return { data, images: [...(image ? [image] : []), ...edited] };
}

/** What most contents have, whatever else an environment puts there. */
const knownContent = z.object({ question: z.string().optional(), answers: z.array(z.string()).optional() });

function queryOf({ task, blocks }: Trace<ImageRef>): string {
  const query = blocks.find((block) => block.kind === "query");
  return query?.kind === "query" ? query.text : task.id;
}

function sampleView(
  trace: Trace<ImageRef>,
  log: SampleLog | undefined,
  update: UpdateSample | undefined,
  group: readonly Scored[],
  { tokenTexts, href, wholeText }: GroupViewOptions,
): SampleData {
  const { charts, numbers } = log ? evidenceParts(log, trace) : { charts: [], numbers: [] };
  const own = group.find((one) => one.trace === trace);
  const ratios = ratiosOf(trace, update);
  let done = 0;
  return {
    sample: trace.sample,
    href: href?.(trace.sample),
    arithmetic: own && arithmeticOf(own, group),
    turns: trace.turns.map((turn, i): TurnData => {
      const { text, logProbs } = turn;
      const tool = trace.toolOutcomes[i];
      const sum = logProbs.reduce((total, value) => total + value, 0);
      const ownRatios = ratios?.subarray(done, done + logProbs.length);
      done += logProbs.length;
      const isWhole = text.length <= longestText;
      return {
        text: cut(text),
        pieces:
          isWhole && tokenTexts && logProbs.length <= mostPieces
            ? piecesOf(turn, ownRatios, log?.advantages[i], tokenTexts)
            : undefined,
        wholeText: isWhole ? undefined : wholeText?.(trace.sample, i),
        tokens: logProbs.length,
        meanLogProb: logProbs.length > 0 ? sum / logProbs.length : 0,
        advantage: meanAdvantage(log?.advantages[i]),
        tool: tool && toolView(tool),
      };
    }),
    rewards: Object.entries(trace.rewards).slice(0, mostNames),
    penalty: log?.penalty,
    shapedReward: log?.shapedReward,
    evidence: charts,
    numbers,
  };
}

/** [T] policy in training over policy of the rollout; undefined where no update has the sample, or has other tokens. */
function ratiosOf({ turns }: Trace<ImageRef>, update: UpdateSample | undefined): Float64Array | undefined {
  if (!update) return undefined;
  const sampled = Float64Array.from(turns.flatMap(({ logProbs }) => [...logProbs]));
  const before = update.oldLogProbs ?? sampled;
  if (update.logProbs.length !== sampled.length || before.length !== sampled.length) return undefined;
  return sampled.map((_, i) => Math.exp((update.logProbs[i] ?? 0) - (before[i] ?? 0)));
}

function piecesOf(
  { tokens, lossMask, logProbs }: Trace<ImageRef>["turns"][number],
  ratios: Float64Array | undefined,
  advantage: TurnAdvantage | undefined,
  tokenTexts: (ids: Int32Array) => readonly string[],
): TokenData[] {
  const texts = tokenTexts(tokens.filter((_, i) => lossMask[i] === 1));
  return texts.map((text, i) => ({
    text,
    logProb: logProbs[i] ?? Number.NaN,
    ratio: ratios?.[i],
    advantage: typeof advantage === "object" ? advantage[i] : advantage,
  }));
}

function toolView({ status, reason, tools, keys, unknownKeys, changed, image }: ToolOutcome<ImageRef>): ToolData {
  const names = (list: readonly string[]): string[] => list.slice(0, mostNames).map(cut);
  return {
    status,
    reason: reason && cut(`${reason.code}: ${reason.message}`),
    failedLine: reason?.line,
    tools: names(tools),
    keys: names(keys),
    unknownKeys: names(unknownKeys),
    changed,
    image: image && imageData(image),
  };
}

function imageData({ id, width, height }: ImageRef): ImageData {
  return { id, width, height };
}

function cut(text: string): string {
  return text.length <= longestText
    ? text
    : `${text.slice(0, longestText)} … (${text.length - longestText} characters more)`;
}
