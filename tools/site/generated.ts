// Pages that are made when the site is built: benchmarks from their results, settings from the schema of configurations.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "../checks/tree.ts";

interface Result {
  readonly name: string;
  readonly date: string;
  readonly commit: string;
  readonly adapter: string;
  readonly load: { readonly before: number; readonly after: number; readonly cores: number };
  readonly rows: readonly {
    readonly case: string;
    readonly unit: string;
    readonly ours: number | null;
    readonly goal?: number;
    readonly peers: Readonly<Record<string, number | null>>;
    readonly correct: boolean;
  }[];
}

interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
}

/** As a file has it; `load` is null where a program was run by itself, and nobody looked. */
type KeptResult = Omit<Result, "load"> & { readonly load: Result["load"] | null };

/** Every file of bench/results as a table, with the machine and the commit that made it. */
export function performancePage(root: string): string {
  const results = filesBelow(root, "bench/results")
    .filter((file) => file.endsWith(".json"))
    .map((file) => JSON.parse(readFileSync(join(root, file), "utf8")) as KeptResult);
  return `# Performance

What \`pnpm bench\` wrote last, a table for each benchmark. [How it measures](/tools/bench/): one process per library, in turns, every result held against the right answer
before it is timed. Larger is better in all units but s and ms. A figure of one machine says nothing of another; what was measured on a software adapter says nothing of a graphics card.

${results.map(resultTable).join("\n\n")}
`;
}

function resultTable({ name, date, commit, adapter, load, rows }: KeptResult): string {
  const peers = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))];
  const figure = (value: number | null | undefined): string =>
    value === null || value === undefined ? "" : `${value}`;
  const head = ["case", "unit", "ours", ...peers, "right"];
  const lines = rows.map((row) =>
    [
      row.case,
      row.unit,
      figure(row.ours),
      ...peers.map((peer) => figure(row.peers[peer])),
      row.correct ? "yes" : "**no**",
    ].join(" | "),
  );
  return `## ${name}

${date.slice(0, 10)}, commit \`${commit.slice(0, 9)}\`${commit.endsWith("+") ? " with changes" : ""}, ${adapter}; ${load ? `load ${load.before} before and ${load.after} after, on ${load.cores} cores` : "load not noted"}.

| ${head.join(" | ")} |
|${"---|".repeat(head.length)}
${lines.map((line) => `| ${line} |`).join("\n")}`;
}

/** Every key of a configuration, from the schema that editors read. */
export function settingsPage(root: string): string {
  const schema = JSON.parse(readFileSync(join(root, "apps/trainer/schema/iapo.schema.json"), "utf8")) as Node;
  const sections = Object.entries(schema.properties ?? {}).map(([key, node]) => {
    const rows = keysOf(node, key).map(
      ({ path, node: inner }) => `| \`${path}\` | ${kindOf(inner)} | ${cell(inner.description ?? "")} |`,
    );
    const table = rows.length > 0 ? `\n\n| key | value | |\n|---|---|---|\n${rows.join("\n")}` : "";
    return `## ${key}\n\n${node.description ?? ""}${table}`;
  });
  return `# Settings

Every key of a configuration, as the schema of this version has it. Files, recipes and \`--set\` take all of them; the nearest known key is named where one is wrong.

${sections.join("\n\n")}
`;
}

function choicesOf(node: Node): readonly Node[] {
  return (node.anyOf ?? node.oneOf ?? [node]).flatMap((one) => (one === node ? [one] : choicesOf(one)));
}

/** The keys below one, outer ones first; a key of several alternatives once. */
function keysOf(node: Node, within: string): { path: string; node: Node }[] {
  const found = choicesOf(node).flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([key, inner]) => {
      const path = `${within}.${key}`;
      return [{ path, node: inner }, ...keysOf(inner, path)];
    }),
  );
  return [...new Map(found.map((one) => [one.path, one])).values()];
}

function kindOf(node: Node): string {
  const kinds = choicesOf(node).map(({ enum: names, const: one, type }) =>
    names !== undefined
      ? names.map((name) => `\`${name}\``).join(", ")
      : one !== undefined
        ? `\`${one}\``
        : [type ?? "any"].flat().join(" or "),
  );
  const fallback = node.default === undefined ? "" : `; default \`${JSON.stringify(node.default)}\``;
  return cell([...new Set(kinds)].join(" or ") + fallback);
}

/** A text as it stands, in a cell: no line break, no markup, no link. */
function cell(text: string): string {
  const flat = text.replaceAll("|", "\\|").replaceAll("\n", " ").replaceAll("<", "&lt;");
  return flat.replaceAll(/https?:\/\/[^\s,;)]+/g, "`$&`");
}
