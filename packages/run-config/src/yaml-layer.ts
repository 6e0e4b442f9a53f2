// A layer from YAML text.
import { isMap, isScalar, isSeq, type Node, type Pair } from "yaml";
import type { Layer, Path, Place, Problem } from "./layer.ts";
import { parseYaml } from "./yaml.ts";

/**
 * @param name shown before line and column, such as the file's
 * @param base the absolute directory that paths in it are relative to
 * @returns the problems of a text that is no mapping in YAML
 */
export function yamlLayer(text: string, name: string, base: string): Layer | Problem[] {
  const rows = text.split(/\r?\n/);
  const parsed = parseYaml(text);
  const placeOf = ([start, end]: readonly [number, number]): Place => {
    const { line, col } = parsed.lines.linePos(start);
    const content = rows[line - 1] ?? "";
    const length = Math.max(1, Math.min(end - start, content.length - col + 1));
    return { name: `${name}:${line}:${col}`, line: content, column: col - 1, length, label: String(line) };
  };
  if ("problems" in parsed) return parsed.problems.map(({ message, range }) => ({ message, place: placeOf(range) }));
  const { contents, data } = parsed;
  if (contents !== null && !isMap(contents)) {
    const [start, end] = contents.range ?? [0, 0];
    return [{ message: "a configuration is a mapping of keys to values", place: placeOf([start, end]) }];
  }
  return {
    data: data ?? {},
    base,
    locate(path, part) {
      const found = contents ? find(contents, path, part) : undefined;
      return found && { place: placeOf(found.range), depth: found.depth };
    },
  };
}

/** The range of the deepest node on a path. */
function find(
  contents: Node,
  path: Path,
  part: "key" | "value",
): { range: readonly [number, number]; depth: number } | undefined {
  let node: Node | null | undefined = contents;
  let found: { range: readonly [number, number]; depth: number } | undefined;
  for (const [i, key] of path.entries()) {
    let range: Node["range"];
    if (isMap<Node, Node | null>(node)) {
      const pair: Pair<Node, Node | null> | undefined = node.items.find(
        (item) => isScalar(item.key) && String(item.key.value) === String(key),
      );
      const value: Node | null | undefined = pair?.value;
      const wantsValue = part === "value" && i === path.length - 1 && isScalar(value) && value.source !== "";
      range = wantsValue ? value.range : pair?.key.range;
      node = value;
    } else if (isSeq<Node>(node)) {
      node = node.items[Number(key)];
      range = node?.range;
    }
    if (!range) break;
    found = { range: [range[0], range[1]], depth: i + 1 };
    if (!node) break;
  }
  return found;
}
