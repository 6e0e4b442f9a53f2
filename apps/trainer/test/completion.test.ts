// What a tab gives, asked of the shells themselves: bash is everywhere, zsh and fish where they are installed.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../src/cli.ts";
import { type Shell, shells } from "../src/completion/scripts.ts";

const folder = mkdtempSync(join(tmpdir(), "iapo-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));
const isHere = (shell: Shell): boolean => spawnSync(shell, ["-c", "true"]).status === 0;
const here = shells.filter(isHere);

async function printed(shell: string): Promise<string> {
  const said: string[] = [];
  const io = { out: (text: string) => said.push(text), note: () => {}, signal: new AbortController().signal };
  expect(await runCli(["completion", shell], { ...io, terminal: undefined })).toBe(0);
  return said.join("\n");
}

beforeAll(async () => {
  for (const shell of shells) writeFileSync(join(folder, shell), await printed(shell));
  writeFileSync(join(folder, "iapo"), "#!/bin/sh\n"); // fish completes commands that are there
  chmodSync(join(folder, "iapo"), 0o755);
});

/** Runs a program of a shell in the folder of the scripts; its lines. */
function lines(shell: Shell, program: string): string[] {
  const env = { ...process.env, HOME: folder, PATH: `${folder}:${process.env.PATH}` };
  const options = shell === "zsh" ? ["-f"] : shell === "fish" ? ["--no-config"] : [];
  const output = execFileSync(shell, [...options, "-c", program], { cwd: folder, encoding: "utf8", env });
  return output.split("\n").filter((line) => line !== "");
}

/** What the shell offers in the place of the last word. */
function offered(shell: Shell, ...words: string[]): string[] {
  const line = ["iapo", ...words];
  const list = line.map((word) => `'${word}'`).join(" ");
  if (shell === "bash")
    return lines(
      shell,
      `source bash; COMP_WORDS=(${list}); COMP_CWORD=${words.length}; _iapo; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );
  if (shell === "fish")
    return lines(shell, `source fish; complete -C '${line.join(" ")}'`).map((one) => one.split("\t")[0] ?? "");
  // zsh completes in its line editor only: what the function hands to it is printed in its place, and held to the word as it would be.
  const stubs = `compdef() {}; _files() {}; compadd() { shift; print -l -- "$@" }; _describe() { print -l -- \${(P)2%%:*} }`;
  const last = words.at(-1) ?? "";
  return lines(shell, `${stubs}; source ./zsh; words=(${list}); CURRENT=${line.length}; _iapo`).filter((one) =>
    one.startsWith(last),
  );
}

test.each(here)("%s: commands, subcommands, options, choices and recipes", (shell) => {
  expect(offered(shell, "tr")).toEqual(["train"]);
  expect(offered(shell, "data", "")).toEqual(expect.arrayContaining(["convert", "inspect", "render"]));
  expect(offered(shell, "data", "convert", "--fo")).toEqual(["--format"]);
  expect(offered(shell, "--quiet", "train", "my.yaml", "--dry")).toEqual(["--dry-run"]);
  expect(offered(shell, "data", "convert", "mine", "--to", "").sort()).toEqual(["refocus", "tasks"]);
  expect(offered(shell, "train", "nano-grp")).toEqual(["nano-grpo"]);
  expect(offered(shell, "completion", "")).toEqual(expect.arrayContaining([...shells]));
});

test.each(here)("%s: a value without choices is left to the shell, which knows files", (shell) => {
  const files = shell === "fish" ? ["bash", "zsh"] : []; // bash and zsh fall back to files by themselves
  expect(offered(shell, "train", "my.yaml", "--out", "")).toEqual(expect.arrayContaining(files));
  expect(offered(shell, "train", "my.yaml", "--out", "")).not.toContain("--resume");
});

test("another shell is refused with those that there are", async () => {
  const said: string[] = [];
  const io = { out: () => {}, note: (text: string) => said.push(text), signal: new AbortController().signal };
  expect(await runCli(["completion", "tcsh"], { ...io, terminal: undefined })).toBe(2);
  expect(said.join("\n")).toContain("bash, zsh, fish");
});
