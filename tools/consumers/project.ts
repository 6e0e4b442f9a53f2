// A consumer's project: an empty folder, a package manager, and the local registry for its only source.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, tools } from "./tools.ts";

export type Manager = "npm" | "pnpm" | "yarn" | "bun" | "deno";

export interface Project {
  readonly folder: string;
  /** Runs a command in it. */
  readonly run: (command: readonly string[], env?: NodeJS.ProcessEnv) => Promise<{ stdout: string; stderr: string }>;
}

/** `base` is shared by the projects of a check: caches stay in it. */
export async function project(base: string, name: string): Promise<Project> {
  const folder = join(base, name.replaceAll(/\W+/g, "-"));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  return { folder, run: (command, env) => run(command, { cwd: folder, env: { ...process.env, ...env } }) };
}

/** Installs with the manager's defaults. */
export async function install(
  { folder, run }: Project,
  manager: Manager,
  packages: readonly string[],
  registry: string,
  base: string,
): Promise<void> {
  await writeFile(join(folder, ".npmrc"), `registry=${registry}\nfund=false\naudit=false\n`);
  const env = { npm_config_cache: join(base, ".npm"), npm_config_registry: registry };
  switch (manager) {
    case "npm":
      await run([...tools.npm, "install", ...packages], env);
      return;
    case "pnpm":
      // Without a word on webgpu's install script, which does nothing on Linux, pnpm installs all and ends with an error.
      await run([...tools.pnpm, "add", "--allow-build=webgpu", "--store-dir", join(base, ".pnpm"), ...packages], {
        ...env,
        CI: "true",
      });
      return;
    case "yarn": {
      const settings = { nodeLinker: "node-modules", npmRegistryServer: registry, unsafeHttpWhitelist: ["127.0.0.1"] };
      const local = { enableTelemetry: false, globalFolder: join(base, ".yarn"), npmMinimalAgeGate: 0 };
      await writeFile(join(folder, ".yarnrc.yml"), JSON.stringify({ ...settings, ...local }));
      await writeFile(join(folder, "yarn.lock"), "");
      await run([...tools.yarn, "add", ...packages], env);
      return;
    }
    case "bun":
      await run([...tools.bun, "add", ...packages], { ...env, BUN_INSTALL_CACHE_DIR: join(base, ".bun") });
      return;
    case "deno":
      await run([...tools.deno, "add", "--minimum-dependency-age=0", ...packages.map((name) => `npm:${name}`)], {
        ...env,
        DENO_DIR: join(base, ".deno"),
      });
  }
}
