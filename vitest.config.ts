import { readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";

/** Tests run on the TypeScript sources: every package exports them under this condition. */
const conditions = ["@iapo/source", "module", "node", "import", "default"];

const rooms = [
  ...["packages", "apps", "tools"].flatMap((room) =>
    readdirSync(new URL(room, import.meta.url), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => ({ name: entry.name, dir: `${room}/${entry.name}` })),
  ),
  { name: "examples", dir: "examples" },
];

export default defineConfig({
  test: {
    pool: "forks",
    isolate: false,
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } }, // what is waited for comes, however busy the machine is
    reporters: ["default", "./tools/checks/plain-reporter.ts"],
    projects: rooms.map(({ name, dir }) => ({
      extends: true as const,
      root: dir,
      resolve: { conditions },
      ssr: { resolve: { conditions, externalConditions: conditions } },
      test: { name, include: ["test/**/*.test.ts"] },
    })),
  },
});
