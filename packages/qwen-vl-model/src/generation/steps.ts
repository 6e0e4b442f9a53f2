// What the steps of a chunk read that changes from one to the next: where the sampled tokens stand, what they see, which random numbers are
// drawn. All steps read one block, so that the second and later ones can be the commands of the first.
import {
  type Block,
  copyBlock,
  formOf,
  type HostTensor,
  planSegments,
  RowIndex,
  type Segment,
  Segments,
  type Tensor,
  uploadBlock,
  withTag,
} from "@iapo/tensor-core";
import { at } from "../checked.ts";
import type { UploadedLayout } from "../model/layout.ts";
import type { QwenVLModel } from "../model/model.ts";
import { textRotaryTables } from "../processor/rotary.ts";

/** The rows of one step, one a response. */
export interface StepRows {
  /** `[rows, 3]` flattened. */
  readonly positions: Int32Array;
  readonly segments: readonly Segment[];
  /** Rows of the cache that they are written to. */
  readonly targets: Int32Array;
  /** u32 `[rows, 3]` flattened: what `sample` takes as its seeds. */
  readonly draws: Uint32Array<ArrayBuffer>;
}

/** The step at hand: what its commands read. */
export interface StepAtHand {
  readonly block: Block;
  readonly layout: UploadedLayout;
  readonly targets: RowIndex;
  /** u32 `[rows, 3]` */
  readonly draws: Tensor;
}

/** Steps on the device. */
export interface Steps {
  /** Commands that were recorded for steps of one form are those of other steps of this form. */
  readonly form: string;
  /** A step at hand, by which commands can be recorded. */
  atHand(): StepAtHand;
  /** Records that from here on the step with this number is at hand. */
  load(step: number, target: StepAtHand): void;
}

/** Uploads steps of as many rows each, in which every response sees one key more than before. A scope owns what is made. */
export function uploadSteps({ device, config }: QwenVLModel, cacheRows: number, steps: readonly StepRows[]): Steps {
  const rows = at(steps, 0).targets.length;
  const half = config.text.headDim / 2;
  const plans = steps.map(({ segments }) => planSegments(segments));
  const upload = (step: number): Block => {
    const { positions, targets, draws } = at(steps, step);
    const { cos, sin } = textRotaryTables(config.text, positions);
    const flat = (values: Uint32Array): HostTensor => ({ values, shape: [values.length] });
    return withTag("layout", () =>
      uploadBlock(device, [
        { values: cos, shape: [rows, half] },
        { values: sin, shape: [rows, half] },
        { values: draws, shape: [rows, 3] },
        flat(at(plans, step).words),
        flat(RowIndex.wordsOf(targets, cacheRows)),
      ]),
    );
  };
  const blocks = steps.map((_, step) => upload(step));
  const { words } = at(blocks, 0);
  if (blocks.some((block) => block.words.size !== words.size))
    throw new Error("the steps of a chunk are not laid out alike");
  // The last step has the most keys: its plan says how many blocks of keys the kernels take, the table which keys there are.
  const plan = at(plans, -1);
  return {
    form: `${words.size},${formOf(plan)}`,
    atHand() {
      const block = upload(steps.length - 1);
      const [cos, sin, draws, table, words] = [0, 1, 2, 3, 4].map((part) => at(block.tensors, part)) as FiveTensors;
      const layout = { rows, cos, sin, segments: Segments.over(plan, table) };
      return { block, layout, targets: RowIndex.over(words, rows, cacheRows), draws };
    },
    load: (step, { block }) => copyBlock(at(blocks, step), block),
  };
}

type FiveTensors = [Tensor, Tensor, Tensor, Tensor, Tensor];
