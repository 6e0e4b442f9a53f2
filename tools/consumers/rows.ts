// The table of consumers: who installs, with what, and what must hold.
import { join } from "node:path";
import { bundle } from "./bundles.ts";
import { entriesOf, writeEntries } from "./entries.ts";
import { importTimes } from "./import-times.ts";
import { trainWithOwnModules } from "./own-modules.ts";
import { install, type Manager, type Project, project } from "./project.ts";
import { firstPrograms, runFirstProgram, writeFiles } from "./readmes.ts";
import type { Tarball } from "./tarballs.ts";
import { nodes, tools } from "./tools.ts";
import { compilations } from "./typescript.ts";

export interface Row {
  readonly name: string;
  /** True for what other rows build on. */
  readonly needed?: boolean;
  /** What came out. @throws Error where it does not hold */
  readonly run: () => Promise<string>;
}

const main = "node_modules/@iapo/trainer/dist/main.js";

export function consumerRows(tarballs: readonly Tarball[], registry: string, base: string): Row[] {
  const names = tarballs.map(({ name }) => name);
  /** All packages, and what a user of them has beside. */
  const all = [...names, "webgpu", "sharp", "zod"];
  const files = join(base, "files");
  const made = new Map<Manager, Promise<Project>>();
  const of = (manager: Manager): Promise<Project> => {
    const found = made.get(manager) ?? projectOf(manager);
    made.set(manager, found);
    return found;
  };
  async function projectOf(manager: Manager): Promise<Project> {
    const created = await project(base, manager);
    await install(created, manager, manager === "npm" ? [...all, "@types/node@22"] : all, registry, base);
    await writeEntries(created, tarballs);
    return created;
  }
  const installed = (manager: Manager, program: readonly string[], after?: (of: Project) => Promise<unknown>): Row => ({
    name: `${manager} installs, every entry loads`,
    needed: manager === "npm",
    async run() {
      const found = await of(manager);
      await found.run([...program, "entries.js"]);
      await after?.(found);
      return "ok";
    },
  });
  return [
    installed("npm", [nodes["24"]], (found) => writeFiles(found, files)),
    installed("pnpm", [nodes["24"]], async (found) => {
      const [problem] = await trainWithOwnModules(found);
      if (problem !== undefined) throw new Error(problem);
    }),
    installed("yarn", [nodes["24"]]),
    installed("bun", tools.bun),
    installed("deno", [...tools.deno, "run", "-A"]),
    ...(["22.18", "22", "26"] as const).map((version) => ({
      name: `Node ${version}: every entry, one step`,
      async run() {
        const { run } = await of("npm");
        const small = ["grpo.steps=1", "grpo.groups=1", "grpo.rollout.samples=2", "grpo.evaluate="];
        await run([nodes[version], "entries.js"]);
        const set = small.flatMap((setting) => ["--set", setting]);
        await run([nodes[version], main, "train", "nano-grpo", "--out", `run-${version}`, ...set]);
        return "ok";
      },
    })),
    {
      name: "Node 20, below the floor: one sentence",
      async run() {
        const { run } = await of("npm");
        const said = await run([nodes["20"], main, "doctor"]).then(
          () => "nothing",
          (error: Error & { cause: { stderr: string } }) => error.cause.stderr.trim(),
        );
        if (!/Node/.test(said) || said.includes("\n")) throw new Error(`it says: ${said}`);
        return said;
      },
    },
    {
      name: "Dawn and sharp are not there: told",
      async run() {
        const bare = await project(base, "bare");
        await install(bare, "npm", ["@iapo/tensor-core", "@iapo/visual-tools"], registry, base);
        const device = `await (await import("@iapo/tensor-core")).openDevice()`;
        const image = `await (await import("@iapo/visual-tools/sharp")).readImage(Buffer.from("iVBORw0KGgo=", "base64"))`;
        for (const [program, wanted] of [
          [device, "npm install webgpu"],
          [image, "npm install sharp"],
        ] as const) {
          const said = await bare.run([nodes["24"], "--input-type=module", "-e", program]).then(
            () => "nothing",
            (error: Error) => error.message,
          );
          if (!said.includes(wanted)) throw new Error(`${program} says ${said}, not "${wanted}"`);
        }
        return "ok";
      },
    },
    {
      name: "TypeScript, strict, libraries checked",
      async run() {
        const done: string[] = [];
        for (const { name, run } of compilations(await of("npm"), entriesOf(tarballs))) {
          await run();
          done.push(name.replace("TypeScript ", ""));
        }
        return done.join("; ");
      },
    },
    {
      name: "CPU time to import each entry",
      run: async () => importTimes(await of("npm"), entriesOf(tarballs)),
    },
    ...(["esbuild", "vite"] as const).map((by) => ({
      name: `${by}: a page for browsers`,
      run: async () => `${await bundle(await of("npm"), by)} KB`,
    })),
    ...firstPrograms().map((first) => ({
      name: first.readme,
      async run() {
        await of("npm");
        const size = await runFirstProgram(first, await project(base, first.readme), registry, base, files);
        return `${size} MB installed`;
      },
    })),
  ];
}
