// A program as the Lezer grammar of Python sees it, and what is checked before anything is made of it.
import { parser } from "@lezer/python";
import { overLimit, syntaxError } from "./fault.ts";

type Tree = ReturnType<typeof parser.parse>;
export type SyntaxNode = Tree["topNode"];
export interface Context {
  readonly code: string;
  readonly nestingLimit: number;
  /** Imports and prints, which show nothing, are passed over. */
  readonly passesOver: boolean;
}

/** "\0" and halves of surrogate pairs are no source text. */
function checkText(code: string): void {
  const bad = code.search(/\0|\p{Surrogate}/u);
  if (bad !== -1) throw syntaxError("a character that no program may hold", bad);
}

/**
 * Brackets as deep as CPython's own bound keep the parser from its slowest input. Counts those in strings too, which no program
 * that means something holds unclosed in such number.
 */
const bracketLimit = 200;

function checkBrackets(code: string): void {
  let depth = 0;
  for (let at = 0; at < code.length; at++) {
    const character = code.charAt(at);
    if ("([{".includes(character)) depth += 1;
    else if (")]}".includes(character)) depth -= 1;
    if (depth > bracketLimit) throw overLimit("open brackets", bracketLimit, at);
  }
}

/** Stops at the first error: repairing what is thrown away takes most of the time of bad programs. */
const strictParser = parser.configure({ strict: true });

function parsed(code: string): Tree {
  try {
    return strictParser.parse(code);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw syntaxError("not valid Python", Number(/\d+$/.exec(error.message)?.[0] ?? 0));
  }
}

export function* children(node: SyntaxNode): Generator<SyntaxNode> {
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== "Comment") yield child;
  }
}

export const text = (node: SyntaxNode, { code }: Context): string => code.slice(node.from, node.to);

/** What a person calls a node of the grammar: `ImportStatement` is "import statement". */
export const describe = (node: SyntaxNode): string => node.name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

const separators = new Set(["(", ")", "[", "]", "{", "}", ",", ";"]);

export const operands = (node: SyntaxNode): SyntaxNode[] =>
  [...children(node)].filter((child) => !separators.has(child.name));

/**
 * The syntax tree of the program's text.
 *
 * @throws ProgramFault `parse_error` where the text is no Python, `unsupported` where it has too many brackets
 */
export function syntaxTree(code: string): SyntaxNode {
  checkText(code);
  checkBrackets(code);
  return parsed(code).topNode;
}
