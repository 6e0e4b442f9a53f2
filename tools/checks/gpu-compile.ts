// The kernels of real GPUs, compiled by a real GPU's compiler where there is none: Mesa's RADV for a card that is not there (RDNA3), behind a Vulkan
// that runs nothing. No kernel may spill registers or use scratch memory, and those that matter are held to bounds. It says nothing of results.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { buildNullCard, CARD } from "../null-card/null-card.ts";
import { bounds, others } from "./gpu-compile/bounds.ts";
import { judge, readCompiled, tableOf } from "./gpu-compile/report.ts";

const run = promisify(execFile);
const program = "packages/qwen-vl-model/scripts/gpu-kernels.ts";

export async function compileForGpu(): Promise<string[]> {
  const built = await buildNullCard();
  if (typeof built === "string") {
    console.log(`skipped: ${built}`);
    return [];
  }
  await using card = built;
  const { stdout } = await run("node", ["--conditions=@iapo/source", program], { env: card.environment });
  const [adapter = ""] = stdout.split("\n");
  if (!adapter.includes("radv")) return [`the kernels were compiled by another driver: ${adapter}`];
  const names = Array.from(stdout.matchAll(/^kernel: (.*)$/gm), ([, name = ""]) => name);
  const kernels = await readCompiled(card.folder, names);
  console.log(`${adapter}, ${CARD}: ${kernels.length} kernels`);
  const findings = judge(kernels, bounds, others);
  if (findings.length > 0 || import.meta.main) console.log(tableOf(kernels));
  return findings;
}

if (import.meta.main) {
  const findings = await compileForGpu();
  for (const finding of findings) console.log(finding);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
