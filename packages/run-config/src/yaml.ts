// Text to plain data by YAML 1.2 (JSON is YAML too). What the parser would warn about, or read as something else than plain data, is a problem.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  visit,
} from "yaml";
import { isMapping } from "./layer.ts";

/** A problem with the characters it is about, [begin, end). */
export interface YamlProblem {
  readonly message: string;
  readonly range: readonly [begin: number, end: number];
}

export interface ParsedYaml {
  readonly data: unknown;
  readonly contents: Node | null;
  readonly lines: LineCounter;
}

/** Mappings and lists within one another, at most. */
const DEEPEST = 64;
const MOST_ALIASES = 100;
const TOO_DEEP = "it is nested too deeply";

/** Never throws. */
export function parseYaml(
  text: string,
): ParsedYaml | { readonly problems: readonly YamlProblem[]; readonly lines: LineCounter } {
  const lines = new LineCounter();
  const whole = [0, text.length] as const;
  try {
    // Keys are compared below, as the text that they become, and in linear time.
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      resolveKnownTags: false,
      logLevel: "error",
    });
    const problems = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
      message: message.includes("call stack") ? TOO_DEEP : message, // the parser is recursive
      range: pos,
    }));
    const all = problems.length > 0 ? problems : problemsOfNodes(document);
    if (all.length > 0) return { problems: all, lines };
    const data: unknown = document.toJS();
    if (isDeeperThan(data, DEEPEST)) return { problems: [{ message: TOO_DEEP, range: whole }], lines };
    return { data, contents: document.contents, lines };
  } catch (error) {
    // A ReferenceError is about too many aliases.
    if (error instanceof RangeError) return { problems: [{ message: TOO_DEEP, range: whole }], lines };
    if (!(error instanceof ReferenceError)) throw error;
    const { message } = error;
    return { problems: [{ message, range: whole }], lines };
  }
}

/** What the parser takes and plain data cannot say. */
function problemsOfNodes(document: Document.Parsed<ParsedNode>): YamlProblem[] {
  const problems: YamlProblem[] = [];
  const refuse = (node: Node, message: string): void => {
    const [begin, end] = node.range ?? [0, 0];
    problems.push({ message, range: [begin, end] });
  };
  let aliases = 0;
  const { yaml } = document.directives;
  if (yaml.explicit && yaml.version !== "1.2") problems.push({ message: "it must be YAML 1.2", range: [0, 1] });
  visit(document, {
    Alias(_, alias, ancestors) {
      if (++aliases > MOST_ALIASES) {
        refuse(alias, `there are more than ${MOST_ALIASES} aliases`); // each is looked for in the whole document
        return visit.BREAK;
      }
      const source = alias.resolve(document);
      if (source === undefined) refuse(alias, `there is no anchor &${alias.source} before it`);
      else if (ancestors.includes(source)) refuse(alias, `*${alias.source} stands within &${alias.source} itself`);
      return undefined;
    },
    Map(_, map) {
      const names = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) {
          refuse(isAlias(key) || isMap(key) ? key : map, "a key must be a word");
          continue;
        }
        const name = String(key.value);
        if (names.has(name)) refuse(key, "Map keys must be unique");
        names.add(name);
      }
    },
  });
  return problems;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (!Array.isArray(value) && !isMapping(value)) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}
