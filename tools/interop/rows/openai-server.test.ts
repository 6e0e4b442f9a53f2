// The nano student behind an OpenAI-compatible server on transformers: `iapo eval --endpoint` measures there what `iapo eval DIR` measures here.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { studentDirectory } from "@iapo/nano-vl";
import { expect, test } from "vitest";
import { startPython } from "../python.ts";

const CHARTS = 256;
const AT_ONCE = 64;
const main = join(import.meta.dirname, "../../../apps/trainer/src/main.ts");

type Metrics = Readonly<Record<string, { readonly value: number }>>;

test("rates of charts agree within sampling error", async () => {
  const folder = await mkdtemp(join(tmpdir(), "iapo-endpoint-"));
  const python = startPython("openai_server", [studentDirectory]);
  let said = "";
  python.stderr.on("data", (chunk: Buffer) => (said = (said + chunk).slice(-4000)));
  try {
    const lines = createInterface(python.stdout);
    const [address] = (await Promise.race([once(lines, "line"), once(python, "close").then(() => [""])])) as [string];
    if (address === "") throw new Error(`python/openai_server.py ended:\n${said}`);
    const common = ["--limit", `${CHARTS}`, "--max-tokens", "64", "--batch", `${AT_ONCE}`];
    const endpoint = ["--endpoint", address, "--name", "student", "--concurrency", `${AT_ONCE}`];
    const there = evaluate(folder, "there", [...endpoint, ...common]);
    const here = evaluate(folder, "here", [studentDirectory, ...common]);
    const [far, near] = await Promise.all([there, here]);
    for (const name of ["reward/outcome", "tool_call_ratio", "reward/tool_misuse", "reward/tool_names"]) {
      const [a, b] = [far[name]?.value ?? Number.NaN, near[name]?.value ?? Number.NaN];
      const spread = (rate: number): number => Math.max(rate * (1 - rate), 1 / CHARTS) / CHARTS;
      const apart = Math.abs(a - b) / Math.sqrt(spread(a) + spread(b));
      console.log(
        `interop iapo eval, ${name}: ${a.toFixed(3)} by transformers, ${b.toFixed(3)} here, ${apart.toFixed(1)} standard errors apart`,
      );
      expect(apart, name).toBeLessThan(4);
    }
  } finally {
    python.kill();
    await rm(folder, { recursive: true, force: true });
  }
});

async function evaluate(folder: string, name: string, args: readonly string[]): Promise<Metrics> {
  const out = join(folder, name);
  const child = spawn("node", ["--conditions=@iapo/source", "--no-warnings", main, "eval", ...args, "--out", out], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk));
  const [code] = await once(child, "close");
  expect(code, said).toBe(0);
  return JSON.parse(await readFile(join(out, "results.json"), "utf8")).sets.nano.metrics as Metrics;
}
