// A user's own function, named in a configuration by the module that exports it.
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { GrpoError } from "../error.ts";

const sources = new WeakMap<object, string>();

/** A function of the user's for a message: where it was loaded from, or its name. */
export function sourceOf(own: (...values: never[]) => unknown, role: string): string {
  const [file, name = "default"] = sources.get(own)?.split("#") ?? [];
  return file === undefined ? `the ${role} function ${own.name}`.trim() : `the ${role} function ${name} of ${file}`;
}

/** What a function of the user's has thrown, with its file; what others throw stays as it is. */
export function faultOf(own: (...values: never[]) => unknown, role: string, cause: unknown): unknown {
  if (!sources.has(own)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new GrpoError("module", `${sourceOf(own, role)}: it throws ${reason}`, { cause });
}

/**
 * What a module exports as its default, or under the name behind `#`: `./my-reward.ts`, `./rewards.js#strict`. The module is the user's code
 * and runs with all rights of the process.
 * @param base directory that a relative path starts from
 * @throws GrpoError `module`
 */
export async function loadExport(path: string, base: string): Promise<unknown> {
  const [file = "", name = "default"] = path.split("#");
  const full = isAbsolute(file) ? file : resolve(base, file);
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(full).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new GrpoError(
      "module",
      `${full} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  if (Object.hasOwn(module, name)) return module[name];
  throw new GrpoError("module", `${full} exports no ${name}, but ${Object.keys(module).join(", ") || "nothing"}`);
}

/** The function that {@link loadExport} finds. Its results are checked where they are used. @throws GrpoError `module` */
export async function loadFunction<F extends (...values: never[]) => unknown>(path: string, base: string): Promise<F> {
  const found = await loadExport(path, base);
  if (typeof found === "function") {
    sources.set(found, path);
    return found as F;
  }
  throw new GrpoError("module", `${path}: what it exports is no function, but ${typeof found}`);
}
