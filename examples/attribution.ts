// What a tool call rests on: the prompt's words and the picture under their scores, in heat.html. node examples/attribution.ts
import { writeFileSync } from "node:fs";
import { attributeTokens } from "@iapo/attribution";
import { imageHeatMap, tokenHeatMapHtml } from "@iapo/attribution/pictures";
import { studentDirectory } from "@iapo/nano-vl";
import { QwenVLPolicy } from "@iapo/qwen-vl-model";
import { openDevice } from "@iapo/tensor-core";
import { pngDataUrl } from "@iapo/visual-tools/sharp";
import { createEnvironment } from "@iapo/vqa-tasks";
import { createNanoCharts, toolProgram } from "@iapo/vqa-tasks/nano";

const device = await openDevice();
const policy = await QwenVLPolicy.load(device, { directory: studentDirectory }, { frozen: true });
const { task, question } = await (await createNanoCharts({ seed: 1, names: "words" })).chart("validation", 0);
const blocks = createEnvironment({ options: { prompt: "compact" } }).prompt(task);

// The call is set down here; a session of `policy.open` would sample one.
const axis = task.content.orientation ?? "columns";
const turn = policy.transcribe({ freshPrompt: true, blocks }, toolProgram(axis, "mask", question.names));
const explained = { turn, targets: turn.lossMask };
const [result] = await attributeTokens(policy.differentiable(), [explained], { kind: "grad_x_input" });
if (!result) throw new Error("nothing was explained");

const isImage = (token: number): boolean => blocks[turn.blocks[token] ?? -1]?.kind === "image";
const ofText = Array.from(result.tokenScores.keys()).filter((token) => turn.blocks[token] !== -1 && !isImage(token));
const tokens = ofText.map((token) => policy.processor.tokenizer.decode([turn.tokens[token] ?? 0]));
const scores = ofText.map((token) => result.tokenScores[token] ?? 0);
const [, height, width] = policy.images.get(task.content.image).grid;
const merge = policy.model.config.vision.spatialMergeSize;
const cells = { rows: height / merge, columns: width / merge };
const heat = imageHeatMap(
  task.content.image,
  result.tokenScores.filter((_, token) => isImage(token)),
  cells,
);
const picture = `<img alt="the chart under its scores" width="336" src="${await pngDataUrl(heat)}">`;
writeFileSync("heat.html", `<!doctype html><meta charset="utf-8">${picture}${tokenHeatMapHtml({ tokens, scores })}`);
console.log(
  `heat.html explains ${JSON.stringify(turn.text)}: ${tokens.length} tokens of text, ${height * width} patches`,
);
policy.model.dispose();
device.close();
