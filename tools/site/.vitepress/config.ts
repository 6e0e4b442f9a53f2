// The site's settings. build.ts has put its pages into .cache/pages.
import { readFileSync } from "node:fs";
import { defineConfig } from "vitepress";

interface Section {
  text: string;
  pages: { path: string; title: string }[];
}
const sections: Section[] = JSON.parse(readFileSync(new URL("../.cache/pages/sections.json", import.meta.url), "utf8"));

export default defineConfig({
  title: "iapo",
  description: "Teach a small vision-language model to use visual tools, on any GPU that WebGPU reaches.",
  base: "/iapo/",
  srcDir: ".cache/pages",
  cacheDir: ".cache/vitepress",
  outDir: "dist",
  lastUpdated: false,
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: sections.map(({ text, pages }) => ({
      text,
      collapsed: text !== "Begin",
      items: pages.map(({ path, title }) => ({ text: title, link: `/${path.replace(/(^|\/)index$/, "$1")}` })),
    })),
    socialLinks: [{ icon: "github", link: "https://github.com/iapo-webgpu/iapo" }],
  },
  markdown: {
    // Places have the names that they have in the repository, where links are checked.
    anchor: {
      slugify: (text) =>
        text
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
          .replaceAll(/\s/g, "-"),
    },
    config(md) {
      const fence = md.renderer.rules.fence;
      md.renderer.rules.fence = (tokens, index, ...rest) => {
        const token = tokens[index];
        if (token?.info === "mermaid") return `<pre class="mermaid" v-pre>${md.utils.escapeHtml(token.content)}</pre>`;
        return fence?.(tokens, index, ...rest) ?? "";
      };
    },
  },
});
