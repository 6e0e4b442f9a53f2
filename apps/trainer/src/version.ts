// What `iapo --version` prints.
import { createRequire } from "node:module";
import { packageVersions } from "@iapo/jobs";
import { z } from "zod";

const manifestSchema = z.object({ name: z.string(), version: z.string() });

/** This program's version in the first line, then what it is made of. */
export function versionText(): string {
  const { name, version } = manifestSchema.parse(createRequire(import.meta.url)("../package.json"));
  const used = Object.entries(packageVersions()).map(([one, found]) => `${one} ${found}`);
  return [
    `iapo ${version} (${name})`,
    ...used,
    `Node ${process.versions.node}, ${process.platform} ${process.arch}`,
  ].join("\n");
}
