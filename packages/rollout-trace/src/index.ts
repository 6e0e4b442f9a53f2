/** The plain types and schemas of an episode: write, read, verify and replay what a rollout did. */
export { type Image, type ImageRef, identifyImage, imageRef, imageRefSchema, type RawImage } from "./image.ts";
export { type ImageBlock, type PromptBlock, promptBlockSchema, type TextBlock, type TextBlockKind } from "./prompt.ts";
export {
  type Boxes,
  boxesSchema,
  type NamedBox,
  type Orientation,
  orientationSchema,
  type Task,
  taskSchema,
} from "./task.ts";
export { type ToolOutcome, type ToolReason, type ToolStatus, toolOutcomeSchema } from "./tool-outcome.ts";
export { type Trace, type Truncation, type Turn, traceSchema, traceVersion } from "./trace.ts";
