// Files of configurations in temporary folders, and what is said about them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { expect, onTestFinished } from "vitest";
import { ConfigError } from "../src/index.ts";
import { config, type Settings } from "./settings.ts";

export function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), "run-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

export function loaded(text: string, sets: readonly string[] = []): Settings {
  return config.load(join(folderOf({ "run.yaml": text }), "run.yaml"), sets).config;
}

/** The message of a refusal, in which the file is called run.yaml. */
export function refusalOf(text: string, sets: readonly string[] = []): string {
  const file = join(folderOf({ "run.yaml": text }), "run.yaml");
  return messageOf(() => config.load(file, sets))
    .replaceAll(file, "run.yaml")
    .replaceAll(relative(".", file), "run.yaml");
}

export function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("this configuration was taken");
}
