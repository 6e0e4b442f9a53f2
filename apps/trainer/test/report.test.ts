// iapo report on real runs of a nano model, on damaged ones, and on hostile text; the page as an independent parser sees it.
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { readStep, stepPath, writeStep } from "@iapo/rollout-trace/files";
import { caseStudyFile } from "@iapo/run-report";
import { openDevice } from "@iapo/tensor-core";
import { readImage } from "@iapo/visual-tools/sharp";
import { type DefaultTreeAdapterTypes, parse } from "parse5";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../src/cli.ts";
import { makeRun } from "./support/run.ts";

const hostile = `</script><img src=x onerror="alert(1)">&amp;`;

let root: string;
const run = (name: string): string => join(root, name);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "iapo-report-"));
  const device = await openDevice();
  await makeRun(device, run("occlusion-seed-1"), { seed: 1, steps: 3, question: hostile });
  device.close();
  await makeVariant("occlusion-seed-2", { seed: 2 }, 0.125);
  await makeVariant("grpo", { learningRate: 1e-4 }, -0.0625);
}, 300_000);
afterAll(() => rm(root, { recursive: true, force: true }));

/** The real run's first two steps as those of a run with other settings, whose tool-call ratios lie apart by `shift`. */
async function makeVariant(name: string, settings: object, shift: number): Promise<void> {
  const original = run("occlusion-seed-1");
  await cp(join(original, "images"), join(run(name), "images"), { recursive: true });
  const file = JSON.parse(await readFile(join(original, "run.json"), "utf8"));
  await writeFile(
    join(run(name), "run.json"),
    JSON.stringify({ ...file, settings: { ...file.settings, ...settings } }),
  );
  for (const step of [0, 1]) {
    const { traces, log } = await readStep(stepPath(join(original, "steps"), step));
    const metrics = { ...log.metrics, tool_call_ratio: log.metrics.tool_call_ratio! + shift };
    await writeStep(join(run(name), "steps"), { step, traces, log: { ...log, metrics } });
  }
}

async function iapo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const signal = new AbortController().signal;
  const io = { out: (text: string) => out.push(text), note: (text: string) => err.push(text), signal };
  const code = await runCli(args, io as unknown as Parameters<typeof runCli>[1]);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

function below(node: Node): Element[] {
  if (!("childNodes" in node)) return [];
  return node.childNodes.flatMap((child) => [...("tagName" in child ? [child] : []), ...below(child)]);
}

function textOf(node: Node): string {
  if ("value" in node) return node.value;
  return "childNodes" in node ? node.childNodes.map(textOf).join("") : "";
}

async function elementsOf(file: string): Promise<Element[]> {
  const errors: string[] = [];
  const page = parse(await readFile(file, "utf8"), { onParseError: ({ code }) => errors.push(code) });
  expect(errors).toEqual([]);
  return below(page);
}

const named = (elements: readonly Element[], name: string): Element[] =>
  elements.filter(({ tagName }) => tagName === name);
const attribute = ({ attrs }: Element, name: string): string | undefined =>
  attrs.find((one) => one.name === name)?.value;

test("a run's page has its curves, episodes with both images, attribution, timings and settings, and no script but its own", async () => {
  const { code, out } = await iapo("report", run("occlusion-seed-1"));
  const page = run("occlusion-seed-1/report.html");
  expect([code, out]).toEqual([0, `page: ${page}`]);
  const elements = await elementsOf(page);
  const text = textOf(named(elements, "body")[0]!);
  const titles = named(elements, "svg").map((one) => attribute(one, "aria-label") ?? "");
  for (const title of [
    "Outcome reward",
    "Tool-call ratio",
    "KL to the reference",
    "Gradient norm",
    "Response length",
    "Reserved at most",
  ])
    expect(titles.some((label) => label.startsWith(title))).toBe(true);
  expect(titles).toEqual(expect.arrayContaining([expect.stringMatching(/^student scores beside teacher scores/)]));
  for (const part of [
    "Time by part",
    "rollout",
    "update",
    '"learningRate": 0.001',
    "GPU memory",
    "focus_on_rows_with_mask",
  ])
    expect(text).toContain(part);

  const questions = elements.filter((one) => attribute(one, "class") === "question").map(textOf);
  expect(questions).toEqual([hostile, hostile, hostile]); // one group of each of three steps
  expect(named(elements, "script")).toHaveLength(1);
  expect(elements.flatMap(({ attrs }) => attrs).filter(({ name }) => name.startsWith("on"))).toEqual([]);
  const addresses = elements.flatMap(({ attrs }) => attrs).filter(({ name }) => name !== "xmlns");
  expect(addresses.filter(({ value }) => /^(https?:|javascript:|\/\/)/.test(value))).toEqual([]);

  const images = named(elements, "img");
  const edited = images.filter((one) => attribute(one, "alt")?.startsWith("The image that the tool showed"));
  expect(edited.length).toBeGreaterThan(0);
  expect(images.length).toBe(3 + edited.length);
  for (const image of images) {
    const [, data] = /^data:image\/png;base64,(.*)$/.exec(attribute(image, "src")!)!;
    const { width } = await readImage(Buffer.from(data!, "base64"));
    expect(width).toBe(Number(attribute(image, "width")));
  }
});

test("the page shows the numbers of the step files", async () => {
  const elements = await elementsOf(run("occlusion-seed-1/report.html"));
  const { traces, log } = await readStep(stepPath(run("occlusion-seed-1/steps"), 0));
  const [article] = named(elements, "article");
  const samples = below(article!).filter((one) => attribute(one, "class") === "sample");
  expect(samples).toHaveLength(3);
  samples.forEach((element, i) => {
    const trace = traces[i]!;
    const text = textOf(element);
    expect(text).toContain(`Sample ${i}`);
    expect(text).toContain(`reward ${Number(trace.rewards.outcome!.toPrecision(4))}`);
    expect(text).toContain(`shaped ${Number(log.samples[i]!.shapedReward!.toPrecision(4))}`);
    expect(text).toContain(`divergence ${Number((0.1 * i).toPrecision(4))}`);
    const texts = below(element).filter(({ tagName }) => tagName === "pre");
    expect(texts.map(textOf)).toEqual(trace.turns.map((turn) => turn.text));
  });
});

test("several runs: one page, figures that can be drawn, and tables whose means are those of the seeds", async () => {
  const runs = ["occlusion-seed-1", "occlusion-seed-2", "grpo"].map(run);
  const study = (misuse: number, right: number) => ({
    ...{ version: 1, responses: 16, calls: 12, misuse, rewards: { tool_names: 0.5, outcome: 0.25 } },
    definitions: [
      {
        method: { method: "occlusion" },
        rightShare: { mean: right, standardError: 0.02 },
        misusedShare: null,
      },
    ],
  });
  const curve = {
    student: [0, 5].map((step) => ({ step, study: study(8 - step, 0.1 * step) })),
    teacher: study(1, 0.4),
  };
  await writeFile(run("grpo/case-study.json"), JSON.stringify(curve));
  const { code, out } = await iapo("report", ...runs, "--out", run("all.html"), "--figures", run("figures"));
  expect(code).toBe(0);
  const files = await readdir(run("figures"));
  expect(files.sort()).toEqual([
    "case-studies.csv",
    "case-study-1.svg",
    "curves.csv",
    "faults.svg",
    "final-metrics.csv",
    "final-metrics.md",
    "tool-use.svg",
  ]);
  for (const file of files) expect(out).toContain(run(`figures/${file}`));
  for (const file of files.filter((name) => name.endsWith(".svg"))) {
    const drawn = sharp(await readFile(run(`figures/${file}`))).raw(); // by another program
    const { data, info } = await drawn.toBuffer({ resolveWithObject: true });
    expect(info.width).toBeGreaterThanOrEqual(480);
    let blue = 0;
    for (let at = 0; at < data.length; at += info.channels)
      if (data[at] === 0 && data[at + 1] === 0x72 && data[at + 2] === 0xb2) blue++;
    expect(blue).toBeGreaterThan(20);
  }
  const ratios = await Promise.all(
    runs.slice(0, 2).map(async (directory) => (await readStep(stepPath(join(directory, "steps"), 1))).log.metrics),
  );
  const [a, b] = ratios.map((metrics) => metrics.tool_call_ratio!) as [number, number];
  const curves = (await readFile(run("figures/curves.csv"), "utf8")).trim().split("\n");
  expect(curves[0]).toBe("configuration,metric,step,mean,sd,n");
  const [name, , , mean, deviation, count] = curves
    .find((line) => /^occlusion,tool_call_ratio,1,/.test(line))!
    .split(",");
  expect([name, count]).toEqual(["occlusion", "2"]);
  expect(Number(mean)).toBeCloseTo((a + b) / 2, 12);
  expect(Number(deviation)).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 12);
  expect(curves.some((line) => line.startsWith("occlusion,tool_call_ratio,2,"))).toBe(false); // one seed has no such step
  const table = await readFile(run("figures/final-metrics.md"), "utf8");
  expect(table).toMatch(/^\| occlusion \| 2 \| 3, 2 \|/m);
  expect(table).toMatch(/^\| grpo \| 1 \| 2 \|/m);
  const studies = await readFile(run("figures/case-studies.csv"), "utf8");
  expect(studies).toContain("grpo,student,5,misuse,3\n");
  expect(studies).toContain("grpo,teacher,,occlusion/right_share,0.4\n");
  expect(named(await elementsOf(run("all.html")), "article")).toHaveLength(7);
});

test("a supervised run has curves and no episodes; an alarm is told", async () => {
  const directory = run("supervised");
  await cp(run("grpo/run.json"), join(directory, "run.json"), { recursive: true });
  for (const step of [0, 1]) {
    const metrics = { "train/loss": 2 - step, "actor/grad_norm": null, ...(step === 1 && { "alarm/names_traded": 1 }) };
    await writeStep(join(directory, "steps"), { step, traces: [], log: { samples: [], updates: [], metrics } });
  }
  expect((await iapo("report", directory)).code).toBe(0);
  const elements = await elementsOf(join(directory, "report.html"));
  expect(named(elements, "article")).toEqual([]);
  const text = textOf(named(elements, "body")[0]!);
  expect(text).toContain("Misuse falls while right names are lost");
  expect(named(elements, "svg").some((one) => attribute(one, "aria-label")?.includes("2 at 0 to 1 at 1"))).toBe(true);
});

test("an image that is gone, or is not what its name says, is left out and named", async () => {
  const directory = run("images-damaged");
  await cp(run("grpo"), directory, { recursive: true });
  const [first, second] = await readdir(join(directory, "images"));
  for (const name of await readdir(join(directory, "images"))) await rm(join(directory, "images", name));
  await cp(run(`grpo/images/${first}`), join(directory, "images", second!));
  expect((await iapo("report", directory)).code).toBe(0);
  const elements = await elementsOf(join(directory, "report.html"));
  expect(named(elements, "img")).toEqual([]);
  expect(elements.some((one) => attribute(one, "class") === "missing")).toBe(true);
  expect(textOf(named(elements, "body")[0]!)).toMatch(
    /\d images are not shown: they are missing, too large, or not what/,
  );
});

test("an image of 900 million pixels, small as a file, costs neither the page nor the memory of the process", async () => {
  const directory = run("image-bomb");
  await cp(run("grpo"), directory, { recursive: true });
  const id = "a".repeat(64);
  const { traces, log } = await readStep(stepPath(join(directory, "steps"), 0));
  const image = { id, width: 30_000, height: 30_000, channels: 3 } as const;
  const bombs = traces.map((trace) => ({
    ...trace,
    blocks: trace.blocks.map((block) => (block.kind === "image" ? { ...block, image } : block)),
  }));
  await rm(stepPath(join(directory, "steps"), 0));
  await writeStep(join(directory, "steps"), { step: 0, traces: bombs, log });
  await writeFile(join(directory, "images", `${id}.png`), blackPng(30_000, 30_000));
  const before = process.resourceUsage().maxRSS;
  expect((await iapo("report", directory)).code).toBe(0);
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(300 * 1024);
  const text = textOf(named(await elementsOf(join(directory, "report.html")), "body")[0]!);
  expect(text).toContain("1 images are not shown");
});

/** One bit a pixel: about 110 kB for 900 million of them. */
function blackPng(width: number, height: number): Buffer {
  const chunk = (name: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, checksum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const rows = deflateSync(Buffer.alloc(height * (1 + width / 8)));
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

test.each<[string, (directory: string) => Promise<unknown>, RegExp]>([
  ["no run.json", (directory) => rm(join(directory, "run.json")), /holds no run: there is no .*run\.json.*\(missing\)/],
  ["no steps", (directory) => rm(join(directory, "steps"), { recursive: true }), /has no finished step.*\(missing\)/],
  [
    "another version",
    (directory) => writeFile(join(directory, "run.json"), `{"version":3}`),
    /it has version 3, and this release reads version 2.*\(invalid\)/s,
  ],
  [
    "no JSON",
    (directory) => writeFile(join(directory, "run.json"), "{"),
    /run\.json is not the file of a run.*\(invalid\)/,
  ],
  [
    "a torn step",
    async (directory) => {
      const path = stepPath(join(directory, "steps"), 1);
      await writeFile(path, (await readFile(path, "utf8")).slice(0, -40));
    },
    /step-000001\.jsonl, line \d+: .*\((torn|corrupt)\)/,
  ],
  [
    "a case study that is none",
    (directory) => writeFile(join(directory, caseStudyFile), `{"student":[]}`),
    /case-study\.json is not a case study.*\(invalid\)/s,
  ],
])("%s: one clear message, and no page", async (name, damage, message) => {
  const directory = run(`damaged ${name}`);
  await cp(run("grpo"), directory, { recursive: true });
  await rm(join(directory, "report.html"), { force: true });
  await damage(directory);
  const { code, out, err } = await iapo("report", directory, "--figures", join(directory, "figures"));
  expect(code).toBe(1);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/^ +at /m);
  expect(out).not.toContain("figure");
  if (!name.startsWith("a case study")) await expect(stat(join(directory, "report.html"))).rejects.toThrow("ENOENT");
});

test("without a run, or with an unknown option, the command line is refused", async () => {
  expect((await iapo("report")).code).toBe(2);
  expect((await iapo("report", run("grpo"), "--figure", "x")).code).toBe(2);
});
