// Bundles what the pages load in the browser: one script and one style sheet, beside the compiled server.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig, type Plugin } from "vite";

/** uPlot's license asks to go where it goes. */
const licenseOfUplot: Plugin = {
  name: "license-of-uplot",
  generateBundle() {
    const folder = dirname(createRequire(import.meta.url).resolve("uplot/package.json"));
    this.emitFile({ type: "asset", fileName: "uPlot-LICENSE.txt", source: readFileSync(join(folder, "LICENSE")) });
  },
};

export default defineConfig({
  plugins: [licenseOfUplot],
  build: {
    outDir: "dist/assets",
    emptyOutDir: true,
    target: "es2023",
    rolldownOptions: {
      input: "src/client/main.ts",
      output: { entryFileNames: "view.js", assetFileNames: "view[extname]", codeSplitting: false },
    },
  },
  resolve: { conditions: ["@iapo/source", "module", "browser", "default"] },
});
