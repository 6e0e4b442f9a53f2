// Unused files, exports and dependencies. A package that is still an empty room is left out until it is filled.
import { readdirSync, readFileSync } from "node:fs";
import type { KnipConfig } from "knip";

const emptyRooms = ["packages", "apps"].flatMap((rooms) =>
  readdirSync(rooms)
    .map((room) => `${rooms}/${room}`)
    .filter((folder) => readFileSync(`${folder}/src/index.ts`, "utf8").trimEnd().endsWith("\nexport {};")),
);

const room = {
  entry: ["test/**/*.ts", "bench/*.bench.ts", "fuzz/*.fuzz.ts"],
  project: ["{src,test,bench,fuzz}/**/*.ts"],
};

const config: KnipConfig = {
  ignoreWorkspaces: emptyRooms,
  exclude: emptyRooms.length > 0 ? ["catalog"] : [], // an empty room's dependencies look unused
  ignoreExportsUsedInFile: { interface: true, type: true }, // a public function's types are public
  workspaces: {
    ".": {
      entry: [
        "tools/checks/check.ts",
        "tools/bench/bench.ts",
        "tools/bench/harness/worker.ts",
        "tools/fuzz/fuzz.ts",
        "scripts/*.mjs",
      ],
      project: ["tools/**/*.ts", "!tools/bench/peers/**", "scripts/*.mjs"],
      ignoreDependencies: ["pnpm", "@changesets/config"],
    },
    "packages/*": room,
    "apps/*": room,
  },
};
export default config;
