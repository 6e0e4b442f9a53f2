// What `iapo --version` prints.
import { createRequire } from "node:module";
import { z } from "zod";

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  dependencies: z.record(z.string(), z.string()).default({}),
});

/** Of this program. */
export function ownVersion(): string {
  return manifestSchema.parse(createRequire(import.meta.url)("../package.json")).version;
}

/** This program's version in the first line, then what it is made of. */
export function versionText(): string {
  const require = createRequire(import.meta.url);
  const manifest = (path: string) => manifestSchema.parse(require(path));
  const { name, version, dependencies } = manifest("../package.json");
  const used = Object.keys(dependencies).filter((one) => one.startsWith("@iapo/"));
  return [
    `iapo ${version} (${name})`,
    ...used.map((one) => `${one} ${manifest(`${one}/package.json`).version}`),
    `Node ${process.versions.node}, ${process.platform} ${process.arch}`,
  ].join("\n");
}
