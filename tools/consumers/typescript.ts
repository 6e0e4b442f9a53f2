// Declarations hold for every compiler that is in use, strictly, library files checked, with and without the DOM.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Project } from "./project.ts";
import { compilers } from "./tools.ts";

const libraries = { DOM: ["es2024", "esnext.disposable", "dom"], "no DOM": ["es2024", "esnext.disposable"] } as const;

export interface Compilation {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** In a project that has every package and `@types/node`. */
export function compilations(project: Project, entries: readonly string[]): Compilation[] {
  const importing = (some: readonly string[]): string =>
    some.map((entry, i) => `import * as entry${i} from "${entry}";\nvoid entry${i};\n`).join("");
  return Object.entries(compilers).flatMap(([version, compiler]) =>
    Object.entries(libraries).map(([library, lib]) => ({
      name: `TypeScript ${version}, ${library}`,
      async run() {
        const stem = `compile-${version}-${library.replace(" ", "-")}`;
        const strict = { strict: true, skipLibCheck: false, noEmit: true, types: ["node"] };
        const compilerOptions = { ...strict, lib, target: "es2022", module: "nodenext" };
        // What runs in a page alone speaks of the page's elements.
        const some = library === "DOM" ? entries : entries.filter((entry) => !entry.endsWith("/browser"));
        await writeFile(join(project.folder, `${stem}.ts`), importing(some));
        const files = [`${stem}.ts`];
        await writeFile(join(project.folder, `${stem}.json`), JSON.stringify({ compilerOptions, files }));
        await project.run([...compiler, "-p", `${stem}.json`]);
      },
    })),
  );
}
