// Visual tools for vision-language models: define a tool, run the six focus tools, interpret tool programs safely, write their prompt blocks.
export { toRgb } from "@iapo/rollout-trace";
export type { Boxes, NamedBox, Orientation } from "./boxes.ts";
export { VisualToolsError, type VisualToolsErrorCode } from "./error.ts";
export { chartAxisTools, focusTools } from "./focus/focus-tools.ts";
export { type BeforeAfter, type ContactSheetOptions, contactSheet } from "./image/contact-sheet.ts";
export { copyImage, sameRgb, toRgba } from "./image/pixels.ts";
export {
  type Coordinates,
  defaultToolOptions,
  type Extraction,
  type Geometry,
  type ProgramLimits,
  type ToolOptions,
  toolPresets,
  type UnknownKey,
} from "./options.ts";
export type { ProgramUsage } from "./program/execute.ts";
export { type Extracted, extractProgram, trimToProgramEnd } from "./program/extract.ts";
export { findProgram, type ProgramPlace } from "./program/fences.ts";
export { type ProgramInput, type ProgramRun, type ToolInterpreter, toolInterpreter } from "./program/interpreter.ts";
export { defaultTemplate } from "./prompt/default-template.ts";
export { failureBlocks, observationBlocks, type PromptInput, toolPrompt, unchangedBlocks } from "./prompt/prompt.ts";
export { parseTemplate, type TemplatePart, type ToolTemplate } from "./prompt/template.ts";
export {
  type ArgumentKind,
  type Arguments,
  defineTool,
  type Names,
  type Scalar,
  type Signature,
  type Tool,
  type ToolAlias,
  type ToolBudget,
  type ToolDefinition,
} from "./tool.ts";
