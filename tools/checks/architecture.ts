// The drawing and the table of imports in docs/architecture.md, made from the sources. Run by itself, it writes them; `./check` compares.
import { writeFileSync } from "node:fs";
import { readTree, splitSpecifier, type Tree } from "./tree.ts";

const page = "docs/architecture.md";
/** Everyone may import it: an arrow to it says nothing. */
const ground = "rollout-trace";

interface Room {
  readonly room: string;
  /** What its sources import of the others, by name. */
  readonly below: readonly string[];
}

/** From the top down. */
function roomsOf(tree: Tree): Room[] {
  const rooms = tree.packages.map(({ room, manifest, sources, folder }) => {
    const own = sources.filter((file) => file.startsWith(`${folder}/src/`));
    const names = own.flatMap((file) => tree.importsOf(file).map(({ specifier }) => splitSpecifier(specifier).name));
    const others = tree.packages.filter((other) => other.manifest.name !== manifest.name);
    const below = others.filter((other) => names.includes(other.manifest.name)).map((other) => other.room);
    return { room, below: below.sort() };
  });
  const depth = (name: string): number =>
    1 + Math.max(0, ...(rooms.find(({ room }) => room === name)?.below.map(depth) ?? []));
  return rooms.sort((a, b) => depth(b.room) - depth(a.room) || (a.room < b.room ? -1 : 1));
}

/** A row per package. */
export function importTable(tree: Tree): string {
  const lines = roomsOf(tree).map(
    ({ room, below }) => `| \`${room}\` | ${below.map((name) => `\`${name}\``).join(", ")} |`,
  );
  return ["| package | imports |", "|---|---|", ...lines, ""].join("\n");
}

/** Rooms and arrows; an arrow that follows from others is left out. */
export function drawing(tree: Tree): string {
  const rooms = roomsOf(tree);
  const belowOf = (name: string): readonly string[] => rooms.find(({ room }) => room === name)?.below ?? [];
  const reaches = (from: string, to: string): boolean => belowOf(from).some((next) => next === to || reaches(next, to));
  const arrows = rooms.flatMap(({ room, below }) =>
    below
      .filter((to) => to !== ground && !below.some((next) => next !== to && reaches(next, to)))
      .map((to) => `  ${room} --> ${to}`),
  );
  const alone = rooms.filter(({ room }) => !arrows.some((arrow) => arrow.split(" ").includes(room)));
  return ["```mermaid", "flowchart TD", ...arrows, ...alone.map(({ room }) => `  ${room}`), "```", ""].join("\n");
}

function withToday(text: string, tree: Tree): string {
  const parts = { drawing: drawing(tree), imports: importTable(tree) };
  return Object.entries(parts).reduce((before, [name, made]) => {
    const block = new RegExp(`(<!-- ${name}:[^\\n]*-->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
    return before.replace(block, (_, head: string, end: string) => `${head}${made}${end}`);
  }, text);
}

export function checkArchitecture(tree: Tree): string[] {
  if (!tree.exists(page)) return [];
  const text = tree.read(page);
  return withToday(text, tree) === text
    ? []
    : [`${page}: drawing or table of imports are not today's; run: node tools/checks/architecture.ts`];
}

if (import.meta.main) {
  const tree = readTree(process.cwd());
  writeFileSync(page, withToday(tree.read(page), tree));
}
