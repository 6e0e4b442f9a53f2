import { defineConfig } from "vitest/config";

const conditions = ["@iapo/source", "module", "node", "import", "default"];

/** Not a part of `vitest run` at the root: rows need the virtual environment that set-up.sh makes. */
export default defineConfig({
  root: import.meta.dirname,
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["rows/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});
