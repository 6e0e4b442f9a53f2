// The user's own modules that a configuration names: tools and functions. They are code, and run with all rights of this process.
import { statSync } from "node:fs";
import { registerHooks } from "node:module";
import { loadExport } from "@iapo/grpo";
import type { Tool, ToolOptions } from "@iapo/visual-tools";
import type { TrainerConfig } from "../config/schema.ts";
import { JobsError } from "../error.ts";

/** Paths of the modules that a configuration names. */
export function namedModules({ environment, grpo }: Pick<TrainerConfig, "environment" | "grpo">): string[] {
  return [environment.tools.module, ...Object.values(grpo.functions)].filter((path) => path !== undefined);
}

/** @throws JobsError `argument` where a run's directory, which may be a stranger's, names modules and nobody trusts them */
export function checkTrust(source: string, config: TrainerConfig, trust: boolean): void {
  const modules = namedModules(config);
  if (trust || modules.length === 0 || !statSync(source, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new JobsError(
    "argument",
    `${source} names modules of its own (${modules.join(", ")}), which would be loaded and run; where you know them, give --trust (train, sft, replay), or name the configuration's own file`,
  );
}

let isHooked = false;

/**
 * Modules that lie outside of the packages' folder find `@iapo/*` here: what they make are tensors and tools of this process, and a second
 * copy of tensor-core could not share its tape. A copy of their own comes first, so that it is found and refused with its place.
 */
export function resolveOwnPackages(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!specifier.startsWith("@iapo/")) throw error;
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
