// A user's own function, named in a configuration by the module that exports it.
import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { GrpoError } from "../error.ts";

/**
 * The function that a module exports as its default, or under the name behind `#`: `./my-reward.ts`, `./rewards.js#strict`. The module is
 * the user's code and runs with all rights of the process. Its results are checked where they are used.
 * @param base directory that a relative path starts from
 * @throws GrpoError `module`
 */
export async function loadFunction<F extends (...values: never[]) => unknown>(path: string, base: string): Promise<F> {
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
  const found = module[name];
  if (typeof found === "function") return found as F;
  const exported = Object.keys(module).join(", ") || "nothing";
  throw new GrpoError("module", `${full} exports no function called ${name}, but ${exported}`);
}
