// Names and arguments of the calls in a program, by its characters alone: a program that does not parse has them too.

/** What a character belongs to: 1 the name of a called function, 2 its arguments with their parentheses, 0 neither. `display` is no tool. */
export function callParts(program: string): Uint8Array {
  const parts = new Uint8Array(program.length);
  /** For each open bracket, whether it is a call's, or in one. */
  const open: boolean[] = [];
  let calling = false;
  for (let at = 0; at < program.length; ) {
    const word = stretchAt(program, at);
    const { length } = word;
    const name = /^[A-Za-z_]\w*$/.test(word) && /^\s*\(/.test(program.slice(at + length)) ? word : undefined;
    const isTool = name !== undefined && name !== "display";
    if ("([{".includes(word)) open.push(calling || (open.at(-1) ?? false));
    parts.fill(isTool ? 1 : open.at(-1) ? 2 : 0, at, at + length);
    if (")]}".includes(word)) open.pop();
    if (word.trim() !== "") calling = isTool;
    at += length;
  }
  return parts;
}

/** A string or comment as a whole, also one that is never closed; a word; or a single character. */
function stretchAt(program: string, at: number): string {
  const pattern =
    /#[^\n]*|"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?|\w+|[\s\S]/y;
  pattern.lastIndex = at;
  return pattern.exec(program)?.[0] ?? program.slice(at, at + 1);
}
