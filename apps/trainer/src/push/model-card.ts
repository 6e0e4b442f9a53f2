// The card of a model that a run made: what it is of, under what license, how it was made, what it came to, how to load it.
import { readFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { readRunRecord } from "@iapo/grpo/run-directory";
import type { Exported } from "@iapo/jobs";
import { stepPath } from "@iapo/rollout-trace/files";
import { readMetrics } from "@iapo/run-report";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { versionText } from "../version.ts";

const settingsSchema = z.looseObject({
  command: z.string(),
  model: z.looseObject({
    directory: z.string().optional(),
    hub: z.looseObject({ repository: z.string() }).optional(),
    initialize: z.unknown(),
  }),
});

/** Figures that say what a model does, in the order of the card. */
const figures = /^(reward\/|val\/|train\/loss|tool_|response_length\/mean)/;

/**
 * @param repository where it is to be loaded from, `owner/name`
 * @throws GrpoError, TraceError where the run's record or the step's file cannot be read
 */
export async function modelCard(exported: Exported, repository: string): Promise<string> {
  const run = dirname(dirname(exported.checkpoint));
  const step = Number(basename(exported.checkpoint).slice("step-".length));
  const { settings } = await readRunRecord(run);
  const { command, ...made } = settingsSchema.parse(settings);
  const { hub, directory } = made.model;
  const base = hub?.repository ?? (directory === undefined ? "unknown" : basename(directory));
  const license = directory === undefined ? undefined : await licenseOf(directory);
  const { metrics } = await readMetrics({ path: stepPath(join(run, "steps"), step - 1), step: step - 1 });
  const rows = Object.entries(metrics).flatMap(([name, value]) =>
    figures.test(name) && typeof value === "number" ? [`| ${name} | ${Number(value.toPrecision(4))} |`] : [],
  );
  const front = {
    library_name: "transformers",
    pipeline_tag: "image-text-to-text",
    ...(hub && { base_model: hub.repository }),
    ...(license !== undefined && { license }),
    tags: ["iapo", command === "train" ? "reinforcement-learning" : "sft", "visual-tools"],
  };
  return `---
${stringify(front)}---

# ${repository}

${base}, trained for ${step} steps by \`iapo ${command}\`: a vision-language model that calls visual tools on charts and tables. Its adapter, if it had one, is merged${exported.base === "int8" ? " into a base whose projections were held in eight bits" : ""}; weights are ${exported.dtype}.

## How to load it

\`\`\`python
from transformers import AutoModelForImageTextToText, AutoProcessor

model = AutoModelForImageTextToText.from_pretrained("${repository}", dtype="auto")
processor = AutoProcessor.from_pretrained("${repository}")
\`\`\`

Or \`iapo serve\` with its directory, for any client of OpenAI's API.

## Figures

Of its last step of training, on the tasks of that step:

| metric | value |
|---|---|
${rows.join("\n")}

## How it was made

\`\`\`yaml
${stringify(withoutPaths(made)).trimEnd()}
\`\`\`

${versionText()}

## License

${license === undefined ? `The files of ${base} name no license: what it was published under holds for this model, too.` : `That of ${base}: ${license}.`}
`;
}

/** As the front matter of a model's own card says; undefined where it has none. */
async function licenseOf(directory: string): Promise<string | undefined> {
  const card = await readFile(join(directory, "README.md"), "utf8").catch(() => "");
  const [, front] = /^---\n([\s\S]{0,20000}?)\n---\n/.exec(card) ?? [];
  if (front === undefined) return undefined;
  try {
    return z.looseObject({ license: z.string().max(100) }).parse(parse(front)).license;
  } catch {
    return undefined;
  }
}

/** Paths of the machine become their last name: a card is public. */
function withoutPaths(value: unknown): unknown {
  if (typeof value === "string") return isAbsolute(value) ? basename(value) : value;
  if (Array.isArray(value)) return value.map(withoutPaths);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutPaths(inner)]));
}
