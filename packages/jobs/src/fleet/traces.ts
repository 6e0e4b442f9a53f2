// Traces of a group as bytes, pictures included, and back: as a rollout made them, to the last bit of every number.
import { arrayOf, FleetError, type Frame, type Numbers, packFrame } from "@iapo/fleet";
import {
  contentWithImages,
  type Image,
  type ImageRef,
  identifyImage,
  imageRef,
  imageRefSchema,
  imagesOfContent,
  type PromptBlock,
  storedContent,
  type Task,
  type Trace,
  traceSchema,
} from "@iapo/rollout-trace";
import { z } from "zod";

const packedSchema = z.object({
  traces: z.array(z.unknown()).max(65_536),
  images: z.array(imageRefSchema).max(65_536),
});

/** @param known pictures that the reader has already, such as those of the task */
export function packTraces(
  traces: readonly Trace[],
  known: readonly Image[] = [],
  also: object = {},
): Uint8Array<ArrayBuffer> {
  const images = new Map<string, Image>();
  for (const trace of traces) for (const image of imagesOf(trace)) images.set(image.id, image);
  for (const { id } of known) images.delete(id);
  const header = {
    ...also,
    traces: traces.map((trace) => z.encode(traceSchema, stored(trace))),
    images: Array.from(images.values(), imageRef),
  };
  return packFrame(
    header,
    Array.from(images.values(), ({ id, data }): [string, Numbers] => [id, Uint8Array.from(data)]),
  );
}

/**
 * @param known pictures that the frame may leave out
 * @param taskOf by group, the task in place of the traces' own, which must have its id
 * @throws FleetError `invalid`; zod's and TraceError for what is no trace
 */
export async function unpackTraces(
  frame: Frame,
  known: readonly Image[] = [],
  taskOf?: (group: number) => Task | undefined,
): Promise<Trace[]> {
  const { traces, images: listed } = packedSchema.parse(frame.header);
  const images = new Map(known.map((image) => [image.id, image]));
  for (const { id, width, height, channels } of listed) {
    const data = arrayOf(frame, id, "u8", width * height * channels);
    const image = await identifyImage({ width, height, channels, data });
    if (image.id !== id) throw new FleetError("invalid", `the picture ${id} holds other pixels than its name says`);
    images.set(id, image);
  }
  const imageOf = (reference: ImageRef): Image => {
    const found = images.get(reference.id);
    if (found) return found;
    throw new FleetError("invalid", `a trace names the picture ${reference.id}, which is not with it`);
  };
  return Promise.all(
    traces.map(async (value): Promise<Trace> => {
      const trace = traceSchema.parse(value);
      const task = taskOf?.(trace.group);
      if (taskOf && task?.id !== trace.task.id)
        throw new FleetError("invalid", `a trace of task ${trace.task.id} where one of ${task?.id} was asked for`);
      const content = task ? task.content : await contentWithImages(trace.task.content, async (one) => imageOf(one));
      return {
        ...trace,
        task: task ?? { ...trace.task, content },
        blocks: trace.blocks.map(
          (block): PromptBlock => (block.kind === "image" ? { ...block, image: imageOf(block.image) } : block),
        ),
        turns: trace.turns.map((turn) => ({ ...turn, images: turn.images.map(imageOf) })),
        toolOutcomes: trace.toolOutcomes.map(({ image, ...outcome }) => ({
          ...outcome,
          ...(image && { image: imageOf(image) }),
        })),
      };
    }),
  );
}

function imagesOf({ task, blocks, turns, toolOutcomes }: Trace): Image[] {
  return [
    ...imagesOfContent(task.content),
    ...blocks.flatMap((block) => (block.kind === "image" ? [block.image] : [])),
    ...turns.flatMap(({ images }) => images),
    ...toolOutcomes.flatMap(({ image }) => image ?? []),
  ];
}

function stored(trace: Trace): Trace<ImageRef> {
  return {
    ...trace,
    task: { ...trace.task, content: storedContent(trace.task.content) },
    blocks: trace.blocks.map((block) => (block.kind === "image" ? { ...block, image: imageRef(block.image) } : block)),
    turns: trace.turns.map((turn) => ({ ...turn, images: turn.images.map(imageRef) })),
    toolOutcomes: trace.toolOutcomes.map((outcome) => ({
      ...outcome,
      image: outcome.image && imageRef(outcome.image),
    })),
  };
}
