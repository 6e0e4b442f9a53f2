// A group of samples as the page shows it, of bounded size.
import type { ImageRef, SampleLog, ToolOutcome, Trace, TurnAdvantage } from "@iapo/rollout-trace";
import { z } from "zod";
import type { GroupData, ImageData, SampleData, ToolData, TurnData } from "../page/data.ts";
import { evenly, type SampledGroup } from "../runs/sampled-groups.ts";
import { evidenceParts, promptBlocks } from "./evidence.ts";

const mostSamples = 4;
const longestText = 4000;
const mostNames = 50;

/** Samples lie evenly between the best and the worst one. */
export function groupView(run: string, { step, traces, logs }: SampledGroup): { data: GroupData; images: ImageRef[] } {
  const [first] = traces as [Trace<ImageRef>];
  const { task } = first;
  const { question = queryOf(first), answers = [] } = knownContent.catch({}).parse(task.content);
  const image = first.blocks.find((block) => block.kind === "image")?.image;
  const rewardOf = ({ sample, rewards }: Trace<ImageRef>): number =>
    logs.get(sample)?.shapedReward ?? rewards.outcome ?? Number.NEGATIVE_INFINITY;
  const ranked = traces.length <= mostSamples ? traces : [...traces].sort((a, b) => rewardOf(b) - rewardOf(a));
  const shown = evenly(ranked, mostSamples);
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
    blocks: promptBlocks(first).map((block) =>
      block.kind === "image"
        ? { kind: block.kind, name: cut(block.id) }
        : { kind: block.kind, name: cut(block.tool ?? block.kind), text: cut(block.text) },
    ),
    size: traces.length,
    samples: shown.map((trace) => sampleView(trace, logs.get(trace.sample))),
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

function sampleView(trace: Trace<ImageRef>, log: SampleLog | undefined): SampleData {
  const { charts, numbers } = log ? evidenceParts(log, trace) : { charts: [], numbers: [] };
  return {
    sample: trace.sample,
    turns: trace.turns.map(({ text, logProbs }, i): TurnData => {
      const tool = trace.toolOutcomes[i];
      const sum = logProbs.reduce((total, value) => total + value, 0);
      return {
        text: cut(text),
        tokens: logProbs.length,
        meanLogProb: logProbs.length > 0 ? sum / logProbs.length : 0,
        advantage: meanOf(log?.advantages[i]),
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

/** A turn's advantage; the mean of those of its tokens where each has one. */
function meanOf(advantage: TurnAdvantage | undefined): number | undefined {
  if (typeof advantage !== "object") return advantage;
  return advantage.reduce((sum, value) => sum + value, 0) / Math.max(advantage.length, 1);
}

function toolView({ status, reason, tools, keys, unknownKeys, changed, image }: ToolOutcome<ImageRef>): ToolData {
  const names = (list: readonly string[]): string[] => list.slice(0, mostNames).map(cut);
  return {
    status,
    reason: reason && cut(`${reason.code}: ${reason.message}`),
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
