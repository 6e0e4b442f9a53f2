// Import rules of the house: arrows point downwards only, GPU-free entries stay so, imports are declared, no circles.
import {
  entrySource,
  type Import,
  internalSources,
  type Package,
  resolveRelative,
  splitSpecifier,
  type Tree,
} from "./tree.ts";

/** What each package may import in its sources. Everyone may import rollout-trace. */
const mayImport: Record<string, string[]> = {
  "rollout-trace": [],
  "tensor-core": [],
  "visual-tools": [],
  "nano-vl": [],
  "run-config": [],
  fleet: [],
  "vqa-tasks": ["visual-tools"],
  "qwen-vl-model": ["tensor-core"],
  attribution: ["tensor-core"],
  "run-report": ["grpo", "attribution", "visual-tools"],
  "run-view": ["run-report", "grpo"],
  grpo: ["tensor-core"],
  evaluation: ["grpo", "tensor-core", "visual-tools", "vqa-tasks"],
  iapo: ["grpo", "attribution", "tensor-core", "evaluation", "run-report", "visual-tools", "vqa-tasks"],
  jobs: [
    ...["iapo", "grpo", "attribution", "tensor-core", "qwen-vl-model"],
    ...["visual-tools", "vqa-tasks", "nano-vl", "run-config", "run-report", "fleet"],
  ],
  trainer: [
    ...["jobs", "iapo", "grpo", "attribution", "tensor-core", "qwen-vl-model"],
    ...["visual-tools", "vqa-tasks", "nano-vl", "run-config", "run-report", "run-view", "evaluation", "fleet"],
  ],
};

/** Packages that run where there is no GPU, and entries that do so in every package. */
const gpuFreePackages = new Set([
  "visual-tools",
  "vqa-tasks",
  "rollout-trace",
  "nano-vl",
  "run-config",
  "run-report",
  "run-view",
  "fleet",
]);
const gpuFreeEntries = new Set(["./processor", "./config", "./math", "./pictures", "./recipes", "./run-directory"]);
/** Dawn's Node binding: whoever loads it has loaded GPU code. */
const dawn = "webgpu";

/** Third-party packages that a package is held to. */
const onlyDependencies: Record<string, string[]> = { "rollout-trace": ["zod"] };

export function checkBoundaries(tree: Tree): string[] {
  return [...tree.packages.flatMap((owner) => checkPackage(tree, owner)), ...checkGpuFree(tree), ...checkCircles(tree)];
}

function checkPackage(tree: Tree, owner: Package): string[] {
  const allowed = mayImport[owner.room];
  if (allowed === undefined) return [`${owner.folder}: tools/checks/boundaries.ts does not say what it may import`];
  const shipped = { ...owner.manifest.dependencies, ...owner.manifest.peerDependencies };
  const inTests = { ...shipped, ...owner.manifest.devDependencies, ...tree.rootManifest.devDependencies };
  return owner.sources.flatMap((file) => {
    const isSource = file.startsWith(`${owner.folder}/src/`);
    const isBundled = file.startsWith(`${owner.folder}/src/client/`); // what it imports goes into a bundle when the package is built
    return tree.importsOf(file).flatMap((found) => {
      const problem = isSource
        ? sourceImport(owner, file, found, allowed, isBundled ? inTests : shipped)
        : testImport(owner, file, found, inTests);
      return problem === undefined ? [] : [`${file}:${found.line}: ${problem}`];
    });
  });
}

function sourceImport(owner: Package, file: string, found: Import, allowed: string[], shipped: object) {
  const { specifier } = found;
  const target = resolveRelative(file, specifier);
  if (target !== undefined)
    return target.startsWith(`${owner.folder}/src/`)
      ? undefined
      : `imports ${specifier}, which lies outside the package's src`;
  if (specifier.startsWith("node:") || specifier.startsWith("#")) return undefined;
  const { name } = splitSpecifier(specifier);
  const room = name.startsWith("@iapo/") ? name.slice("@iapo/".length) : undefined;
  if (room !== undefined && room !== "rollout-trace" && !allowed.includes(room)) {
    return `${owner.room} may not import ${name} (it may import ${[...allowed, "rollout-trace"].join(", ")})`;
  }
  const held = onlyDependencies[owner.room];
  if (room === undefined && held !== undefined && !held.includes(name))
    return `${owner.room} may import only ${held}, not ${name}`;
  return name in shipped ? undefined : `${name} is imported but not among the dependencies`;
}

/** What benchmarks of packages may import of the tools. */
const forBenchmarks = ["tools/bench/", "tools/null-card/"];

function testImport(owner: Package, file: string, { specifier }: Import, declared: object) {
  const target = resolveRelative(file, specifier);
  if (target !== undefined) {
    const isBenchmark = file.startsWith(`${owner.folder}/bench/`);
    const ofTools = isBenchmark && forBenchmarks.some((folder) => target.startsWith(folder));
    const own = target.startsWith(`${owner.folder}/`) || ofTools;
    return own ? undefined : `imports ${specifier}, which lies outside the package`;
  }
  if (specifier.startsWith("node:") || specifier.startsWith("#")) return undefined;
  const { name } = splitSpecifier(specifier);
  return name === owner.manifest.name || name in declared ? undefined : `${name} is imported but not declared`;
}

/** Follows the run-time imports of each GPU-free entry through the whole house; none may reach Dawn. */
function checkGpuFree(tree: Tree): string[] {
  const byName = new Map(tree.packages.map((owner) => [owner.manifest.name, owner]));
  const resolve = (file: string, specifier: string): string[] => {
    if (specifier === dawn) return [dawn];
    if (specifier.startsWith("#")) {
      const owner = tree.packages.find(({ folder }) => file.startsWith(`${folder}/`));
      return owner === undefined ? [] : internalSources(owner, specifier);
    }
    const { name, entry } = splitSpecifier(specifier);
    const owner = byName.get(name);
    const target = resolveRelative(file, specifier) ?? (owner && entrySource(owner, entry));
    return target === undefined ? [] : [target];
  };
  const next = (file: string): string[] => {
    if (!tree.exists(file)) return []; // the compiler reports a missing file
    const loaded = tree.importsOf(file).filter((found) => found.runtime);
    return loaded.flatMap((found) => resolve(file, found.specifier));
  };
  return tree.packages.flatMap((owner) =>
    Object.keys(owner.manifest.exports ?? {})
      .filter((entry) => gpuFreePackages.has(owner.room) || gpuFreeEntries.has(entry))
      .flatMap((entry) => {
        const start = entrySource(owner, entry);
        const path = start === undefined ? undefined : findPath(start, next, (file) => file === dawn);
        return path === undefined
          ? []
          : [`${owner.manifest.name} ${entry} must load no GPU code: ${path.join(" -> ")}`];
      }),
  );
}

/** Depth-first search for the first node that is a goal; the path to it, both ends included. */
function findPath(start: string, next: (node: string) => string[], isGoal: (node: string) => boolean) {
  const seen = new Set<string>();
  const visit = (node: string): string[] | undefined => {
    if (isGoal(node)) return [node];
    if (seen.has(node)) return undefined;
    seen.add(node);
    for (const neighbor of next(node)) {
      const rest = visit(neighbor);
      if (rest !== undefined) return [node, ...rest];
    }
    return undefined;
  };
  return visit(start);
}

/** Circles of run-time imports inside a package; between packages the arrows above allow none. */
function checkCircles(tree: Tree): string[] {
  const state = new Map<string, "open" | "done">();
  const circles: string[] = [];
  const visit = (file: string, trail: string[]): void => {
    if (state.get(file) === "done" || !tree.exists(file)) return;
    if (state.get(file) === "open") {
      circles.push(`circular imports: ${[...trail.slice(trail.indexOf(file)), file].join(" -> ")}`);
      return;
    }
    state.set(file, "open");
    for (const found of tree.importsOf(file)) {
      const target = found.runtime && !found.dynamic ? resolveRelative(file, found.specifier) : undefined;
      if (target !== undefined) visit(target, [...trail, file]);
    }
    state.set(file, "done");
  };
  for (const owner of tree.packages) for (const file of owner.sources) visit(file, []);
  return circles;
}
