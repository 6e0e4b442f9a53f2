// Blocks of READMEs that are no programs: commands are commands of today, configurations load, packages say how they are installed.
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "@iapo/jobs";
import { studentDirectory, teacherDirectory } from "@iapo/nano-vl";
import { expect, onTestFinished, test } from "vitest";
import { type Block, readmeBlocks, root } from "./blocks.ts";
import { parseCommand } from "./parse-command.ts";
import { shellLines } from "./shell-lines.ts";

const blocks = readmeBlocks();
const of = (language: string): Block[] => blocks.filter((block) => block.language === language);
const lines = of("sh").flatMap(({ readme, code }) => shellLines(code).map((words) => ({ readme, words })));
const named = lines.map(({ readme, words }) => ({ readme, command: words.join(" "), words }));
const scripts = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object }).scripts;

test("every block says its language, and flags are those that the runner knows", () => {
  const languages = ["ts", "sh", "text", "yaml", "json", "mermaid"];
  const unknown = blocks.filter(
    ({ language, flag }) =>
      !languages.includes(language) || !(flag === "" || (language === "ts" && ["no-run", "fragment"].includes(flag))),
  );
  expect(unknown.map(({ readme, line, language, flag }) => `${readme}:${line}: ${language} ${flag}`)).toEqual([]);
});

test.each(named.filter(({ words: [first = ""] }) => /^(\.\/)?iapo$/.test(first)))(
  "$readme: $command",
  async ({ words: [, ...args] }) => {
    expect(await parseCommand(args)).toEqual({ said: [], works: args.includes("--help") ? 0 : 1 });
    const [command = "", source = ""] = args;
    if (!["train", "sft", "plan", "diagnose"].includes(command) || /^--|\/|\.yaml$|^$/.test(source)) return;
    expect(loadConfig(source, settings(args)).config).toBeDefined(); // a recipe
  },
);

/** What `--set` assigns. A model that earlier commands make is taken to be a shipped one. */
function settings(args: readonly string[]): string[] {
  return args
    .filter((_, i) => args[i - 1] === "--set")
    .map((word) => word.replace(/(?<=\.directory=).*/, "nano-teacher"));
}

test.each(named.filter(({ words: [first = ""] }) => !/^(\.\/)?iapo$|^npm$/.test(first)))(
  "$readme: $command",
  ({ readme, words: [first = "", ...args] }) => {
    if (first === "pnpm") expect(Object.keys(scripts)).toContain(args[0] === "run" ? args[1] : args[0]);
    else expect(isThere(first) || isThere(join("node_modules/.bin", first)), first).toBe(true);
    const folders = ["packages", "apps", "tools"].map((rooms) =>
      join(rooms, args[args.indexOf("--project") + 1] ?? ""),
    );
    for (const file of args.filter((word) => /\.(ts|mjs|json)$/.test(word)))
      expect(
        isThere(file) ||
          readFileSync(join(root, readme), "utf8").includes(`Save it as \`${file}\``) ||
          (args.includes("--project") && folders.some((folder) => isThere(join(folder, file)))),
        file,
      ).toBe(true);
  },
);

test("no program needs more than the floor of Node reads: `using` came with 24", () => {
  const programs = globSync("examples/{*,*/*}.ts", { cwd: root }).map((file) => ({
    readme: file,
    line: 1,
    code: readFileSync(join(root, file), "utf8"),
  }));
  const tooNew = [...of("ts"), ...programs].filter(({ code }) => /^\s*(?:await )?using \w+ =/m.test(code));
  expect(tooNew.map(({ readme, line }) => `${readme}:${line}`)).toEqual([]);
});

function isThere(path: string): boolean {
  return existsSync(join(root, path));
}

test.each(of("yaml"))("$readme:$line is a configuration", ({ code }) => {
  const directory = mkdtempSync(join(tmpdir(), "iapo-yaml-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  cpSync(studentDirectory, join(directory, "models/student"), { recursive: true });
  cpSync(teacherDirectory, join(directory, "models/teacher"), { recursive: true });
  for (const split of ["train", "validation"]) mkdirSync(join(directory, "configs/data", split), { recursive: true });
  const file = join(directory, "configs/my.yaml");
  writeFileSync(file, code);
  for (const [module] of code.matchAll(/[\w-]+\.ts\b/g)) writeFileSync(join(directory, "configs", module), "");
  expect(loadConfig(file).config.grpo.steps).toBeGreaterThan(0);
});

test.each(blocks.filter(({ example }) => example !== undefined))(
  "$readme:$line is $example",
  ({ example = "", code }) => {
    const [, ...lines] = readFileSync(join(root, example), "utf8").split("\n"); // without the comment at its head
    expect(code).toBe(lines.join("\n"));
  },
);

test.each(of("json"))("$readme:$line is JSON", ({ code }) => {
  expect(() => JSON.parse(code)).not.toThrow();
});

const packages = [...new Set(blocks.map(({ readme }) => readme))].filter((readme) => readme.startsWith("packages/"));

test.each(packages)("%s begins with how it is installed, all that its first program imports", (readme) => {
  const own = blocks.filter((block) => block.readme === readme);
  expect(own.map(({ language }) => language).slice(0, 2)).toEqual(["sh", "ts"]);
  const [installed = "", program = ""] = own.map(({ code }) => code);
  const imported = Array.from(program.matchAll(/from "((?:@[\w-]+\/)?[\w-]+)(?:\/[\w-]+)*"/g), ([, name]) => name);
  const missing = imported.filter((name) => name !== "node" && !installed.trim().split(" ").includes(String(name)));
  expect(installed).toMatch(/^npm install /);
  expect(missing).toEqual([]);
});
