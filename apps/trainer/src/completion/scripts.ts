// Scripts by which shells complete the command line, made from its table: a tab asks no program, so it answers at once.
import type { Entry, Flag } from "./table.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export function completionScript(shell: Shell, name: string, table: readonly Entry[]): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](name, table);
}

/** A text as one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Finds the command that the words before the cursor name, of which `variable` holds one; in bash and zsh. */
function findCommand(table: readonly Entry[], variable: string): string {
  const paths = table.filter(({ path }) => path !== "").map(({ path }) => quoted(path));
  return `    found="\${command:+$command }\${${variable}}"
    case "$found" in ${paths.join("|")}) command="$found" ;; esac`;
}

/** A branch for each flag that takes a value. */
function valueBranches({ path, flags }: Entry, branch: (values: readonly string[]) => string): string[] {
  return flags.flatMap(({ forms, values }) =>
    values === undefined
      ? []
      : [`    ${forms.map((form) => quoted(`${path} ${form}`)).join("|")}) ${branch(values)} ;;`],
  );
}

const wordsOf = ({ subcommands, values }: Entry): string[] => [...subcommands.map(({ text }) => text), ...values];

/** Files are what bash falls back to, where no word fits. */
function bashScript(name: string, table: readonly Entry[]): string {
  const reply = (words: string): string => `COMPREPLY=($(compgen -W "${words}" -- "$word"))`;
  const own = (entry: Entry): string => {
    const flags = entry.flags.flatMap(({ forms }) => forms).join(" ");
    return `    ${quoted(entry.path)}) flags="${flags}"; words="${wordsOf(entry).join(" ")}" ;;`;
  };
  return `_${name}() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" command="" found flags words i
  for ((i = 1; i < COMP_CWORD; i++)); do
${findCommand(table, "COMP_WORDS[i]")}
  done
  COMPREPLY=()
  case "$command $before" in
${table.flatMap((entry) => valueBranches(entry, (values) => (values.length > 0 ? `${reply(values.join(" "))}; return` : "return"))).join("\n")}
  esac
  case "$command" in
${table.map(own).join("\n")}
  esac
  case "$word" in
    -*) ${reply("$flags")} ;;
    *) ${reply("$words")} ;;
  esac
}
complete -o default -F _${name} ${name}`;
}

function zshScript(name: string, table: readonly Entry[]): string {
  const described = (text: string, description: string): string =>
    quoted(`${text.replaceAll(":", "\\:")}:${description}`);
  const flagsOf = ({ forms, description }: Flag): string[] => forms.map((form) => described(form, description));
  const own = (entry: Entry): string => {
    const words = [
      ...entry.subcommands.map(({ text, description }) => described(text, description)),
      ...entry.values.map(quoted),
    ];
    return `    ${quoted(entry.path)})\n      flags=(${entry.flags.flatMap(flagsOf).join(" ")})\n      names=(${words.join(" ")}) ;;`;
  };
  return `#compdef ${name}
_${name}() {
  local command="" found
  local -a flags names
  integer i
  for ((i = 2; i < CURRENT; i++)); do
${findCommand(table, "words[i]")}
  done
  case "$command \${words[CURRENT - 1]}" in
${table.flatMap((entry) => valueBranches(entry, (values) => (values.length > 0 ? `compadd -- ${values.map(quoted).join(" ")}; return` : "_files; return"))).join("\n")}
  esac
  case "$command" in
${table.map(own).join("\n")}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe option flags
  else
    (( \${#names} )) && _describe argument names
    _files
  fi
}
if [[ $funcstack[1] == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi`;
}

function fishScript(name: string, table: readonly Entry[]): string {
  const lines = table.flatMap(({ path, subcommands, flags, values }) => {
    const seen = path.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
    const siblings = subcommands.map(({ text }) => text).join(" ");
    const here = path === "" ? "true" : seen.join("; and ");
    const none = siblings === "" ? here : `${here}; and not __fish_seen_subcommand_from ${siblings}`;
    const line = (when: string, rest: string): string => `complete -c ${name} -n ${quoted(when)} ${rest}`;
    return [
      ...subcommands.map(({ text, description }) => line(none, `-f -a ${quoted(text)} -d ${quoted(description)}`)),
      ...values.map((text) => line(none, `-a ${quoted(text)}`)),
      ...flags.map(({ forms, description, values: taken }) => {
        const names = forms.map((form) => (form.startsWith("--") ? `-l ${form.slice(2)}` : `-s ${form.slice(1)}`));
        const value = taken === undefined ? "" : taken.length > 0 ? ` -x -a ${quoted(taken.join(" "))}` : " -r";
        return line(here, `${names.join(" ")}${value} -d ${quoted(description)}`);
      }),
    ];
  });
  return lines.join("\n");
}
