// Tapes and scopes are state of a module: with a second copy of this package in a process, gradients would silently be zero.
import { TensorError } from "./error.ts";

const key = Symbol.for("@iapo/tensor-core/copy");
const holder = globalThis as { [key]?: string };

/** What stands at the end of a module's URL when it is loaded again, by a test runner or a development server. */
const QUERY = /[?#].*$/s;

/** Called once by the module whose state must be the only one. @throws TensorError `two_copies` where another copy is at work */
export function claimProcess(url: string): void {
  const own = url.replace(QUERY, "");
  const first = holder[key];
  if (first !== undefined && first !== own) {
    throw new TensorError(
      "two_copies",
      `two copies of @iapo/tensor-core in one process do not see each other's tensors, so gradients would be zero: ${described(first)}, then ${described(own)}. ` +
        "`npm ls @iapo/tensor-core` shows who wants which; give all @iapo packages one version, then `npm dedupe`.",
    );
  }
  holder[key] = own;
}

/** Where a copy lies, and its version where that can be read. */
function described(url: string): string {
  const fs = (globalThis as { process?: { getBuiltinModule?(name: string): unknown } }).process?.getBuiltinModule?.(
    "node:fs",
  );
  try {
    const { readFileSync } = fs as { readFileSync(path: URL, encoding: string): string };
    const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", url), "utf8"));
    if (typeof manifest === "object" && manifest && "version" in manifest) return `${manifest.version} in ${url}`;
  } catch {
    // a page, or a bundle
  }
  return url;
}
