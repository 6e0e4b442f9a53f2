// A page that imports the packages for browsers: bundled, without Dawn and without sharp.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";
import type { Project } from "./project.ts";
import { tools } from "./tools.ts";

const page = `import { add, openDevice } from "@iapo/tensor-core";
import { groupAdvantages } from "@iapo/grpo/math";
import { defineTool } from "@iapo/visual-tools";
export { add, defineTool, groupAdvantages, openDevice };
`;

/** KB of the bundle. @throws Error where it cannot be made, or holds what only Node has */
export async function bundle({ folder, run }: Project, by: "esbuild" | "vite"): Promise<number> {
  await writeFile(join(folder, "page.js"), page);
  const out = join(folder, `page-${by}.js`);
  if (by === "esbuild") {
    const options = ["--bundle", "--format=esm", "--minify", "--platform=browser"];
    await run([...tools.esbuild, "page.js", ...options, `--outfile=${out}`]);
  } else {
    const lib = { entry: join(folder, "page.js"), formats: ["es" as const], fileName: () => `page-${by}.js` };
    await build({
      root: folder,
      configFile: false,
      logLevel: "error",
      build: { lib, outDir: folder, emptyOutDir: false },
    });
  }
  const text = await readFile(out, "utf8");
  if (text.includes("dawn.node")) throw new Error("the bundle holds Dawn's Node binding");
  return Math.round(text.length / 1000);
}
