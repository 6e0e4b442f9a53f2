// The user's own modules that a configuration names: environment, tools and functions. They are code, and run with all rights of this process.
import { statSync } from "node:fs";
import * as nodeModule from "node:module";
import { loadExport } from "@iapo/grpo";
import type { Tool, ToolOptions } from "@iapo/visual-tools";
import type { JobConfig } from "../config/schema.ts";
import { JobsError } from "../error.ts";

/** Paths of the modules that a configuration names. */
export function namedModules({ environment, grpo }: Pick<JobConfig, "environment" | "grpo">): string[] {
  return [environment.module, environment.tools.module, ...Object.values(grpo.functions)].filter(
    (path) => path !== undefined,
  );
}

/** Of the directory of a run, which may be a stranger's; a file is the caller's own, and so are its modules. */
export function untrustedModules(source: string, config: Pick<JobConfig, "environment" | "grpo">): string[] {
  return statSync(source, { throwIfNoEntry: false })?.isDirectory() ? namedModules(config) : [];
}

/** @throws JobsError `untrusted` */
export function requireTrust({
  name,
  untrusted,
}: {
  readonly name: string;
  readonly untrusted: readonly string[];
}): void {
  if (untrusted.length === 0) return;
  throw new JobsError(
    "untrusted",
    `${name} names modules of its own (${untrusted.join(", ")}), which would be loaded and run; say that you trust them, or name the configuration's own file`,
  );
}

let isHooked = false;

/**
 * Modules that lie outside of the packages' folder find `@iapo/*`, and `zod` for their schemas, here: what they make are tensors and tools of this process, and a second
 * copy of tensor-core could not share its tape. A copy of their own comes first, so that it is found and refused with its place.
 */
export function resolveOwnPackages(): void {
  if (isHooked) return;
  isHooked = true;
  // Bun has no such hook: there a module finds what is installed beside it.
  nodeModule.registerHooks?.({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!/^(@iapo\/|zod$)/.test(specifier)) throw error;
        return next(specifier, { ...context, parentURL: import.meta.url });
      }
    },
  });
}

export type OwnTools = (options: ToolOptions) => readonly Tool[];

/** The list of tools that a module exports, or its function of the tool options that gives one. @throws GrpoError `module`; JobsError `invalid` */
export async function loadTools(path: string): Promise<OwnTools> {
  resolveOwnPackages();
  const found = await loadExport(path, ".");
  return (options) => {
    const tools: unknown = typeof found === "function" ? found(options) : found;
    if (Array.isArray(tools) && tools.length > 0 && tools.every(isTool)) return tools;
    throw new JobsError(
      "invalid",
      `${path}: what it exports is no list of tools, nor a function that gives one; make each by defineTool of @iapo/visual-tools`,
    );
  };
}

function isTool(value: unknown): value is Tool {
  const { name, signature, promptBlock, run } = (value ?? {}) as Partial<Tool>;
  return (
    typeof name === "string" &&
    typeof signature === "object" &&
    typeof promptBlock === "string" &&
    typeof run === "function"
  );
}
