// A chat about a picture; a line is a question. node examples/chat.ts [model directory or hub id] [picture]
import { createInterface } from "node:readline/promises";
import { studentDirectory } from "@iapo/nano-vl";
import { loadModel, type Message } from "@iapo/qwen-vl-model";
import { openDevice } from "@iapo/tensor-core";
import { readImage } from "@iapo/visual-tools/sharp";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";

const [source = studentDirectory, picture] = process.argv.slice(2);
const { task } = await (await createNanoCharts({ seed: 1, names: "words" })).chart("validation", 0);
const image = picture === undefined ? task.content.image : await readImage(picture);

const device = await openDevice();
const model = await loadModel(device, source);
const messages: Message[] = [];
const ask = async (question: string): Promise<void> => {
  const text = { text: `${question}\n` };
  messages.push({ role: "user", content: messages.length === 0 ? [{ image }, text] : [text] });
  let answer = "";
  for await (const piece of model.generate(messages, { maxTokens: 64 })) {
    process.stdout.write(piece);
    answer += piece;
  }
  process.stdout.write("\n");
  messages.push({ role: "assistant", content: answer });
};

if (!process.stdin.isTTY) await ask(task.content.question);
else for await (const line of createInterface({ input: process.stdin, output: process.stdout })) await ask(line);
model.dispose();
device.close();
