// The table of imports in docs/architecture.md, made from the sources. Run by itself, it writes the table; `./check` compares it.
import { writeFileSync } from "node:fs";
import { readTree, splitSpecifier, type Tree } from "./tree.ts";

const page = "docs/architecture.md";
const block = /(<!-- imports:[^\n]*-->\n)[\s\S]*?(<!-- \/imports -->)/;

/** A row per package, from the top down: what its sources import of the others. */
export function importTable(tree: Tree): string {
  const rows = tree.packages.map(({ room, manifest, sources, folder }) => {
    const own = sources.filter((file) => file.startsWith(`${folder}/src/`));
    const names = own.flatMap((file) => tree.importsOf(file).map(({ specifier }) => splitSpecifier(specifier).name));
    const below = tree.packages.filter(
      (other) => other.manifest.name !== manifest.name && names.includes(other.manifest.name),
    );
    return { room, below: below.map((other) => other.room).sort() };
  });
  const depth = (room: string): number =>
    1 + Math.max(0, ...(rows.find((row) => row.room === room)?.below.map(depth) ?? []));
  rows.sort((a, b) => depth(b.room) - depth(a.room) || (a.room < b.room ? -1 : 1));
  const lines = rows.map(({ room, below }) => `| \`${room}\` | ${below.map((name) => `\`${name}\``).join(", ")} |`);
  return ["| package | imports |", "|---|---|", ...lines, ""].join("\n");
}

const withTable = (text: string, tree: Tree): string =>
  text.replace(block, (_, head: string, end: string) => `${head}${importTable(tree)}${end}`);

export function checkArchitecture(tree: Tree): string[] {
  if (!tree.exists(page)) return [];
  const text = tree.read(page);
  return withTable(text, tree) === text
    ? []
    : [`${page}: the table of imports is not today's; run: node tools/checks/architecture.ts`];
}

if (import.meta.main) {
  const tree = readTree(process.cwd());
  writeFileSync(page, withTable(tree.read(page), tree));
}
