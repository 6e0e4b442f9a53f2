// Packs every published package, installs the tarballs in an empty project, loads each entry under plain Node, runs a kernel and the command, and trains with a tool and a reward of the user's own.
import { type ExecFileOptions, execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { trainWithOwnModules } from "./own-modules.ts";
import { readTree } from "./tree.ts";

const execute = promisify(execFile);
/** Registries can hang; nothing here takes minutes. */
const run = (file: string, args: string[], options: ExecFileOptions) =>
  execute(file, args, { timeout: 10 * 60_000, ...options, encoding: "utf8" });

export async function tryTarballs(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "iapo-tarballs-"));
  try {
    const published = readTree(process.cwd()).packages.filter((owner) => !owner.manifest.private);
    for (const owner of published) {
      await run("pnpm", ["pack", "--pack-destination", folder], { cwd: resolve(owner.folder) });
    }
    const tarballs = (await readdir(folder)).filter((file) => file.endsWith(".tgz"));
    const overrides = Object.fromEntries(
      published.map(({ manifest: { name } }) => {
        const stem = `${name.replace("@", "").replace("/", "-")}-`;
        return [name, `file:./${tarballs.find((file) => new RegExp(`^${stem}\\d`).test(file))}`];
      }),
    );
    await writeFile(
      join(folder, "package.json"),
      JSON.stringify({ type: "module", private: true, dependencies: overrides }),
    );
    await writeFile(
      join(folder, "pnpm-workspace.yaml"),
      JSON.stringify({ packages: ["."], overrides, allowBuilds: { webgpu: false } }),
    );
    await run("pnpm", ["install", "--prefer-offline"], { cwd: folder, env: { ...process.env, CI: "true" } });

    const entries = published.flatMap(({ manifest }) =>
      Object.entries(manifest.exports ?? {})
        .filter(([, target]) => typeof target === "object")
        .map(([entry]) => manifest.name + entry.slice(1)),
    );
    const script = `const failed = [];
      for (const entry of ${JSON.stringify(entries)}) {
        try { await import(entry); } catch (error) { failed.push(entry + ": " + error.message); }
      }
      const { add, openDevice } = await import("@iapo/tensor-core");
      const device = await openDevice();
      const x = device.tensor([1, 2], [2]);
      const sum = await add(x, x).read();
      if (String(sum) !== "2,4") failed.push("@iapo/tensor-core: 1 + 1, 2 + 2 gives " + sum);
      device.close();
      console.log(JSON.stringify(failed));`;
    await writeFile(join(folder, "load.js"), script);
    const { stdout } = await run("node", ["load.js"], { cwd: folder });
    await run("pnpm", ["exec", "iapo", "--help"], { cwd: folder });
    return [...(JSON.parse(stdout) as string[]), ...(await trainWithOwnModules(folder, run))];
  } catch (error) {
    const { message, stdout = "", stderr = "" } = error as Error & { stdout?: string; stderr?: string };
    return [[message, stdout, stderr].join("\n")];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
