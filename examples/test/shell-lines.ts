// Commands of a README's shell block, as words: continued lines are joined, comments, variables and npx before a command and what follows a pipe or a redirection are left out.
export function shellLines(code: string): string[][] {
  return code
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .flatMap((line) => line.replace(/(^|\s)#.*$/, "").split(";"))
    .map((command) =>
      command
        .replace(/^[A-Z_]+=\S+ /, "")
        .replace(/[|>].*$/, "")
        .replace(/^npx (?=iapo )/, "")
        .trim(),
    )
    .filter((command) => command !== "")
    .map((command) => command.split(/\s+/).filter((word) => !/^\[|\]$/.test(word))); // [optional]
}
