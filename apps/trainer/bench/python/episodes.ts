// The environment for workers in Python: prompts and observations as the ids of our processor, pictures as PNG, rewards of the real tools.
import { createScribe } from "@iapo/qwen-vl-model";
import { loadProcessor } from "@iapo/qwen-vl-model/processor";
import type { Turn, TurnInput } from "@iapo/rollout-trace";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import { createEnvironment, type VisualTask } from "@iapo/vqa-tasks";
import { createNanoCharts, type NanoCharts } from "@iapo/vqa-tasks/nano";
import type { Message } from "./lines.ts";

export const chartEnvironment = createEnvironment({ options: { prompt: "compact" } });

export function openCharts(): Promise<NanoCharts> {
  return createNanoCharts({ seed: 1, names: "words" });
}

interface Piece {
  readonly ids: readonly number[];
  /** [3 N] */
  readonly positions: readonly number[];
  readonly images: readonly string[];
}

export class Episodes {
  readonly #charts: NanoCharts;
  readonly #scribe: ReturnType<typeof createScribe>;
  readonly #decode: (ids: Int32Array) => string;

  private constructor(charts: NanoCharts, processor: Awaited<ReturnType<typeof loadProcessor>>) {
    this.#charts = charts;
    this.#scribe = createScribe(processor);
    this.#decode = (ids) => processor.tokenizer.decode(ids, { skipSpecialTokens: true });
  }

  static async open(directory: string): Promise<Episodes> {
    return new Episodes(await openCharts(), await loadProcessor(directory));
  }

  /** `open`: prompts of tasks. `step`: what comes behind first turns. `finish`: rewards of second ones. */
  async answer({ ask, episodes, tasks }: Message): Promise<unknown> {
    if (ask === "open")
      return Promise.all((tasks as number[]).map(async (index) => this.#piece(await this.#prompt(index))));
    const given = episodes as readonly { readonly task: number; readonly turns: readonly (readonly number[])[] }[];
    return Promise.all(given.map(({ task, turns }) => this.#step(task, turns)));
  }

  async #step(index: number, turns: readonly (readonly number[])[]): Promise<unknown> {
    const task = await this.#task(index);
    const texts = turns.map((ids) => this.#decode(Int32Array.from(ids)));
    const [first, second] = texts;
    const step = await chartEnvironment.step(task, { text: first ?? "" });
    if (!step.next) return { reward: (await step.done?.rewards)?.outcome };
    const before = this.#scribe.render(await this.#prompt(index), Int32Array.from(turns[0] ?? []));
    if (second === undefined) return { next: await this.#piece(step.next, before) };
    const last = await chartEnvironment.step(task, { text: second }, [{ text: first ?? "", tool: step.tool }]);
    return { reward: (await last.done?.rewards)?.outcome };
  }

  async #task(index: number): Promise<VisualTask> {
    return (await this.#charts.chart("train", index)).task;
  }

  async #prompt(index: number): Promise<TurnInput> {
    return { freshPrompt: true, blocks: chartEnvironment.prompt(await this.#task(index)) };
  }

  async #piece(input: TurnInput, before?: Turn): Promise<Piece> {
    const turn = this.#scribe.render(input, new Int32Array(), before);
    const images = await Promise.all(turn.images.map(async (image) => (await pngDataUrl(image)).split(",")[1] ?? ""));
    return { ids: [...turn.tokens], positions: [...(turn.positions ?? [])], images };
  }
}
