// node --conditions=@iapo/source tools/site/memory.ts: writes the table of docs/memory.md, by the plans of what its rows name.
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJob, planJob, verdictOf } from "../../packages/jobs/src/index.ts";
import { cardBudget, planningDevice, typicalCard } from "../../packages/tensor-core/src/index.ts";

const root = join(import.meta.dirname, "../..");
const base = join(root, "packages/nano-vl/base");
const cards = [8, 16, 24, 48, 80];
const gibibyte = 2 ** 30;
const marks = /(<!-- table: .* -->\n)[\s\S]*?(<!-- \/table -->)/;

/** A directory without weights: the published sizes, and the tokenizer that ships here. */
async function sizesOnly(folder: string, name: string): Promise<string> {
  const directory = await mkdtemp(join(folder, `${name}-`));
  const read = async (file: string) => JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  const published = await read(join(root, `apps/trainer/test/fixtures/${name}.config.json`));
  const tokens = Object.entries(await read(join(base, "config.json"))).filter(([key]) => key.endsWith("_token_id"));
  await writeFile(join(directory, "config.json"), JSON.stringify({ ...published, ...Object.fromEntries(tokens) }));
  for (const file of ["tokenizer.json", "chat_template.jinja"]) await copyFile(join(base, file), join(directory, file));
  return directory;
}

/** The table as Markdown, of the rows whose name holds `filter`. */
export async function memoryTable(filter = ""): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "iapo-memory-"));
  try {
    const [student, teacher] = [await sizesOnly(folder, "qwen2.5-vl-3b"), await sizesOnly(folder, "qwen2.5-vl-7b")];
    const other = await sizesOnly(folder, "qwen3-vl-8b");
    const model = (directory: string): string[] => ["model.hub=", `model.directory=${directory}`];
    const step = ["grpo.groups=4", "grpo.rollout.samples=8", "grpo.rollout.maxTokens=256", "grpo.evaluate="];
    const beside = ["teacher.hub=", `teacher.directory=${teacher}`];
    const besideOther = ["teacher.hub=", `teacher.directory=${other}`, "teacher.residence=turns"];
    const adapter = [
      ...["model.lora.rank=16", "model.lora.alpha=32", "model.recompute=true"],
      "grpo.update.microBatchTokens=4096",
    ];
    const alone = ["teacher=", "iapo="];
    const rows: [name: string, recipe: string, settings: readonly string[]][] = [
      ["nano student, all weights", "nano-grpo", ["grpo.rollout.maxTokens=48"]],
      ["3B, adapter of rank 16", "paper-main", [...model(student), ...alone, ...step]],
      ["the same, activations kept", "paper-main", [...model(student), ...alone, ...step, "model.recompute=false"]],
      ["3B with adapter, 7B teacher in turns", "paper-main", [...model(student), ...beside, ...step]],
      [
        "3B with adapter, 7B teacher resident",
        "paper-main",
        [...model(student), ...beside, ...step, "teacher.residence=resident"],
      ],
      [
        "the same, both held in eight bits",
        "paper-main",
        [...model(student), ...beside, ...step, "teacher.residence=resident", "model.base=int8", "teacher.base=int8"],
      ],
      ["7B, adapter of rank 16", "paper-main", [...model(teacher), ...alone, ...step]],
      ["the same, its base in eight bits", "paper-main", [...model(teacher), ...alone, ...step, "model.base=int8"]],
      ["3B, all weights", "paper-main", [...model(student), ...alone, ...step, "model.lora="]],
      [
        "3B with adapter, Qwen3-VL-8B teacher in turns",
        "paper-teacher-qwen3-vl-8b",
        [...model(student), ...besideOther, ...step, ...adapter],
      ],
      [
        "3B, all weights, activations recomputed, Qwen3-VL-8B teacher trained by GRPO, in turns",
        "paper-iapo-qwen3-vl-8b",
        [...model(student), ...besideOther, ...step, "model.recompute=true"],
      ],
      ["Qwen3-VL-8B, adapter of rank 16", "paper-teacher-qwen3-vl-8b-grpo", [...model(other), ...step, ...adapter]],
      [
        "Qwen3-VL-8B, all weights, activations recomputed",
        "paper-teacher-qwen3-vl-8b-grpo",
        [...model(other), ...step, "model.recompute=true"],
      ],
    ];
    using device = planningDevice(typicalCard);
    const lines: string[] = [];
    for (const [name, recipe, settings] of rows.filter(([name]) => name.includes(filter))) {
      const job = openJob(recipe, { set: [...settings, "environment.prompt=compact"] });
      const { peakBytes, bytesByPart } = await planJob(job, { device, card: true });
      const held = Object.values(bytesByPart).reduce((sum, bytes) => sum + bytes, 0);
      const verdicts = cards.map((card) => verdictOf(peakBytes, cardBudget(card * gibibyte)));
      const cells = [held, peakBytes].map((bytes) => `${(bytes / gibibyte).toFixed(1)} GiB`);
      lines.push(`| ${[name, `\`${recipe}\``, ...cells, ...verdicts].join(" | ")} |`);
    }
    const head = [
      "what is trained",
      "recipe",
      "before the first step",
      "at most",
      ...cards.map((card) => `${card} GiB`),
    ];
    return `| ${head.join(" | ")} |\n|${"---|".repeat(head.length)}\n${lines.join("\n")}\n`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The page with that table in it. */
export function withTable(page: string, table: string): string {
  return page.replace(marks, (_, begin: string, end: string) => `${begin}${table}${end}`);
}

if (import.meta.main) {
  const file = join(root, "docs/memory.md");
  await writeFile(file, withTable(await readFile(file, "utf8"), await memoryTable()));
}
