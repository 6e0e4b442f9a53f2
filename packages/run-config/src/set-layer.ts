// A layer from a setting of the command line, `a.b=c`.
import { type SchemaNode, schemasAt } from "./json-schema.ts";
import type { Layer, Problem } from "./layer.ts";
import { parseYaml } from "./yaml.ts";

const OPTION = "--set ";
const MOST_KEYS = 32;

/**
 * Where the schema wants a text, c is taken as it stands, else it is YAML. Nothing behind the equals sign takes a setting back.
 * @param base the absolute directory that a path is relative to
 */
export function setLayer(assignment: string, root: SchemaNode, base: string): Layer | Problem[] {
  const equals = assignment.indexOf("=");
  const keys = (equals < 0 ? assignment : assignment.slice(0, equals)).split(".");
  const whole = {
    name: "command line",
    line: `${OPTION}${assignment}`,
    column: OPTION.length,
    length: assignment.length,
    label: "",
  };
  if (equals < 0 || keys.includes("") || keys.length > MOST_KEYS)
    return [{ message: "this must read key=value, such as section.key=20", place: whole }];
  const text = assignment.slice(equals + 1);
  const parsed = isText(schemasAt(root, keys)) && text !== "" ? { data: text } : parseYaml(text);
  if ("problems" in parsed) {
    return parsed.problems.map(({ message, range: [begin, end] }) => ({
      message,
      place: { ...whole, column: OPTION.length + equals + 1 + begin, length: Math.max(1, end - begin) },
    }));
  }
  return {
    data: keys.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), parsed.data),
    base,
    locate(path, part) {
      const other = keys.findIndex((key, i) => key !== String(path[i]));
      const depth = other < 0 ? Math.min(keys.length, path.length) : other;
      const key = keys[depth - 1];
      if (key === undefined) return undefined;
      if (part === "value" && depth >= keys.length) {
        return { place: { ...whole, column: OPTION.length + equals + 1, length: Math.max(1, text.length) }, depth };
      }
      const before = keys.slice(0, depth - 1).reduce((sum, { length }) => sum + length + 1, 0);
      return { place: { ...whole, column: OPTION.length + before, length: key.length }, depth };
    },
  };
}

/** Whether only a text can stand there. */
function isText(schemas: readonly SchemaNode[]): boolean {
  return schemas.length > 0 && schemas.every(({ type }) => type === "string");
}
