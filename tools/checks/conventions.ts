// Habits that are the same in every package, so that a reader who knows one knows all.
import type { Tree } from "./tree.ts";

/** Object shapes are interfaces; a `type` is for unions, tuples, functions and what is computed from other types. */
const objectAlias = /^(?:export )?type (\w+)(?:<[^=]*>)? = \{$/gm;
/** A doc comment that stands above the imports documents no declaration. */
const docAboveImports = /^\/\*\*(?:[^*]|\*(?!\/))*\*\/\s*\n(?:import\b|export \{|export \*|export type \{|\n)/;
const errorClass =
  /^export class (\w+) extends Error \{\n {2}override readonly name = "\1";\n {2}readonly code: \1Code;$/m;

/** Heads of files, the error class, interfaces, and American spelling in names. */
export function checkConventions(tree: Tree): string[] {
  return tree.packages.flatMap((owner) =>
    owner.sources
      .filter((file) => file.startsWith(`${owner.folder}/src/`))
      .flatMap((file) => {
        const text = tree.read(file);
        const problems: string[] = [];
        if (!/^(#!.*\n)?(\/\/|\/\*\*)/.test(text)) problems.push("does not say in its first line what it is for");
        if (docAboveImports.test(text))
          problems.push("begins with /** */ above imports; a file's head is written with //");
        for (const [, name] of text.matchAll(objectAlias))
          problems.push(`type ${name} is an object: make it an interface`);
        if (file.endsWith("/errors.ts")) problems.push("the file of a package's error class is called error.ts");
        if (file.endsWith("/src/error.ts") && !errorClass.test(text))
          problems.push("an error class sets `override readonly name` and a `code` of its own type");
        if (file.endsWith("/renamed.ts")) return problems.map((problem) => `${file}: ${problem}`); // old names stand there
        for (const [word] of text.matchAll(british))
          problems.push(`"${word}" is spelled otherwise in American English`);
        return problems.map((problem) => `${file}: ${problem}`);
      }),
  );
}

const british =
  /\b\w*(?:[cC]olour(?!space)|[bB]ehaviour|[nN]eighbour|[nN]ormalis|[pP]enalis|[tT]okenis|[rR]andomis|[oO]ptimis[ei]|[iI]nitialis|[sS]erialis|[qQ]uantis)\w*/g;
