// The repository as the checks see it: its files, its packages, and what each source file imports.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Manifest {
  name: string;
  private?: boolean;
  description?: string;
  license?: string;
  type?: string;
  files?: string[];
  keywords?: string[];
  homepage?: string;
  bugs?: string;
  repository?: object;
  exports?: Record<string, string | Record<string, string>>;
  /** Names that start with "#", by condition. */
  imports?: Record<string, unknown>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

export interface Package {
  /** Folder relative to the root, such as `packages/grpo`. */
  folder: string;
  /** The folder's own name, such as `grpo`. */
  room: string;
  manifest: Manifest;
  /** TypeScript files, relative to the root. */
  sources: string[];
}

export interface Import {
  specifier: string;
  line: number;
  /** False for `import type` and `export type`, which leave no trace at run time. */
  runtime: boolean;
  /** True for `import()`, which loads late and so makes no cycle. */
  dynamic: boolean;
}

export interface Tree {
  root: string;
  packages: Package[];
  rootManifest: Manifest;
  read(file: string): string;
  exists(file: string): boolean;
  importsOf(file: string): Import[];
}

const generated = new Set(["node_modules", "dist", ".git", ".turbo", "coverage", ".cache", ".venv", "__pycache__"]);

/** Every file below `folder` that a person wrote, as sorted paths relative to `root`. */
export function filesBelow(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = folder === "." ? entry.name : `${folder}/${entry.name}`;
      if (generated.has(entry.name)) return [];
      if (entry.isDirectory()) return filesBelow(root, path);
      return entry.isFile() ? [path] : [];
    });
}

const statement =
  /^[ \t]*(?:import|export)\s+(type\s)?(?:[^'"`;()]*?\sfrom\s*|[^'"`;()]*?\}\s*from\s*)?["']([^"'\n]+)["']|\bimport\s*\(\s*["']([^"'\n]+)["']/gm;

/** The import and export-from statements of a TypeScript source, `import()` included. */
export function parseImports(source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^[ \t]*\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, " "));
  return Array.from(code.matchAll(statement), (match) => ({
    specifier: (match[2] ?? match[3]) as string,
    line: code.slice(0, match.index).split("\n").length,
    runtime: match[1] === undefined,
    dynamic: match[3] !== undefined,
  }));
}

export function readTree(root: string): Tree {
  const read = (file: string): string => readFileSync(join(root, file), "utf8");
  const exists = (file: string): boolean => existsSync(join(root, file));
  const imports = new Map<string, Import[]>();
  const packages = ["packages", "apps"].flatMap((rooms) =>
    (exists(rooms) ? readdirSync(join(root, rooms)) : [])
      .filter((room) => exists(`${rooms}/${room}/package.json`))
      .map((room) => ({
        folder: `${rooms}/${room}`,
        room,
        manifest: JSON.parse(read(`${rooms}/${room}/package.json`)) as Manifest,
        sources: filesBelow(root, `${rooms}/${room}`).filter((file) => file.endsWith(".ts")),
      })),
  );
  return {
    root,
    packages,
    rootManifest: JSON.parse(read("package.json")) as Manifest,
    read,
    exists,
    importsOf: (file) => {
      const known = imports.get(file) ?? parseImports(read(file));
      imports.set(file, known);
      return known;
    },
  };
}

/** The file a relative import means, or undefined when the specifier is not relative. */
export function resolveRelative(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? join(dirname(from), specifier) : undefined;
}

/** `@iapo/grpo/math` is the package `@iapo/grpo` and its entry `./math`. */
export function splitSpecifier(specifier: string): { name: string; entry: string } {
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  return { name, entry: `.${specifier.slice(name.length)}` };
}

/** The source file behind an entry of a package's `exports`. */
export function entrySource(owner: Package, entry: string): string | undefined {
  const target = owner.manifest.exports?.[entry];
  const source = typeof target === "object" ? target["@iapo/source"] : undefined;
  return source === undefined ? undefined : join(owner.folder, source);
}

/** The sources behind a name that starts with "#", under any condition. */
export function internalSources(owner: Package, specifier: string): string[] {
  const collect = (target: unknown): string[] => {
    if (typeof target !== "object" || target === null) return [];
    return Object.entries(target).flatMap(([condition, inner]) =>
      condition === "@iapo/source" && typeof inner === "string" ? [join(owner.folder, inner)] : collect(inner),
    );
  };
  return collect(owner.manifest.imports?.[specifier]);
}
