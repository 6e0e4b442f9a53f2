// A package's README begins with how it is installed and a program: that program in a project which has what the README says, and nothing else.
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Block, readmeBlocks } from "../../examples/test/blocks.ts";
import { install, type Project } from "./project.ts";
import { nodes, run } from "./tools.ts";

export interface FirstProgram {
  readonly readme: string;
  readonly packages: readonly string[];
  readonly program: Block;
}

export function firstPrograms(): FirstProgram[] {
  const blocks = readmeBlocks().filter(({ readme }) => readme.startsWith("packages/"));
  const readmes = [...new Set(blocks.map(({ readme }) => readme))];
  return readmes.flatMap((readme) => {
    const [shell, program] = blocks.filter((block) => block.readme === readme);
    const packages = /^npm install (.*)$/m.exec(shell?.code ?? "")?.[1]?.split(" ") ?? [];
    return program === undefined ? [] : [{ readme, packages, program }];
  });
}

/** In a project that has every package: a chart, a table and two short runs, which the programs read. */
export async function writeFiles({ run, folder }: Project, files: string): Promise<void> {
  const program = `import { writeImage } from "@iapo/visual-tools/sharp";
import { createNanoCharts } from "@iapo/vqa-tasks/nano";
const { task } = await (await createNanoCharts({ seed: 1 })).chart("train", 0);
for (const name of ["chart.png", "table.png"]) await writeImage(\`\${process.argv[2]}/\${name}\`, task.content.image);
`;
  await mkdir(files, { recursive: true });
  await writeFile(join(folder, "pictures.js"), program);
  await run([nodes["24"], "pictures.js", files]);
  for (const seed of [1, 2]) {
    const settings = [`seed=${seed}`, "steps=2", "groups=1", "rollout.samples=2", "evaluate="];
    const set = settings.flatMap((setting) => ["--set", `grpo.${setting}`]);
    const out = ["--out", join(files, `runs/a-seed-${seed}`)];
    await run([nodes["24"], "node_modules/@iapo/trainer/dist/main.js", "train", "nano-grpo", ...out, ...set]);
  }
}

/** By the floor of Node and by the newest. `files` are those that programs read: pictures, rows, runs. Returns what is installed, in MB. */
export async function runFirstProgram(
  { packages, program }: FirstProgram,
  project: Project,
  registry: string,
  base: string,
  files: string,
): Promise<number> {
  await install(project, "npm", packages, registry, base);
  for (const version of program.flag === "" ? (["22.18", "24"] as const) : []) {
    const cwd = join(project.folder, `node-${version}`);
    await cp(files, cwd, { recursive: true });
    await writeFile(join(cwd, "program.ts"), program.code);
    const { stdout } = await run([nodes[version], "program.ts"], { cwd });
    if (program.prints !== undefined && stdout.trimEnd() !== program.prints)
      throw new Error(`under Node ${version} it prints ${stdout}, not ${program.prints}`);
  }
  const { stdout } = await project.run(["du", "-sm", resolve(project.folder, "node_modules")]);
  return Number.parseInt(stdout, 10);
}
