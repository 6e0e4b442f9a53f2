// What loading an entry costs a program: each in fresh processes, held to a budget that warns.
import budgets from "./budgets.json" with { type: "json" };
import type { Project } from "./project.ts";
import { nodes } from "./tools.ts";

const processes = 3;
/** CPU time, not the clock: it is what quiet cores would take, whatever else the machine does. */
const program = `const before = process.cpuUsage();
await import(process.argv[1]);
const { user, system } = process.cpuUsage(before);
process.stdout.write(String((user + system) / 1000));
process.exit();`;

/** Milliseconds of each entry, and a warning for each above its budget. @throws Error for an entry without one */
export async function importTimes({ run }: Project, entries: readonly string[]): Promise<string> {
  const lines: string[] = [];
  for (const entry of entries) {
    const times: number[] = [];
    for (let i = 0; i < processes; i++) {
      const { stdout } = await run([nodes["24"], "--input-type=module", "-e", program, entry]);
      times.push(Number(stdout));
    }
    const [, name = "", rest = ""] = /^(@iapo\/[^/]+)(.*)$/.exec(entry) ?? [];
    const budget = (budgets as Record<string, { importMs: Record<string, number> }>)[name]?.importMs[`.${rest}`];
    if (budget === undefined) throw new Error(`${entry} has no importMs in tools/consumers/budgets.json`);
    const median = Math.round(times.sort((a, b) => a - b)[Math.floor(processes / 2)] ?? Number.NaN);
    lines.push(`${entry} ${median} ms${median > budget ? ` (warning: its budget is ${budget} ms)` : ""}`);
  }
  return lines.join(", ");
}
