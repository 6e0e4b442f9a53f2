// VitePress' own theme, and drawings where a page has them.
import { nextTick, onMounted, watch } from "vue";
import { useRoute } from "vitepress";
import DefaultTheme from "vitepress/theme-without-fonts";

async function draw(): Promise<void> {
  const drawings = [...document.querySelectorAll<HTMLElement>("pre.mermaid:not([data-processed])")];
  if (drawings.length === 0) return;
  const { default: mermaid } = await import("mermaid");
  mermaid.initialize({ startOnLoad: false, theme: document.documentElement.classList.contains("dark") ? "dark" : "default" });
  await mermaid.run({ nodes: drawings });
}

export default {
  extends: DefaultTheme,
  setup() {
    const route = useRoute();
    onMounted(draw);
    watch(
      () => route.path,
      () => nextTick(draw),
    );
  },
};
