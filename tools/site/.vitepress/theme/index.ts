// VitePress' own theme, and drawings where a page has them.
import { useRoute, withBase } from "vitepress";
import DefaultTheme from "vitepress/theme-without-fonts";
import { nextTick, onMounted, watch } from "vue";

/** As much of https://mermaid.js.org/config/usage.html as is used. */
interface Mermaid {
  initialize(settings: object): void;
  run(what: { nodes: HTMLElement[] }): Promise<void>;
}
declare global {
  var mermaid: Mermaid | undefined;
}

/** 3 MB, loaded by the pages that have a drawing. */
function load(): Promise<unknown> {
  if (globalThis.mermaid !== undefined) return Promise.resolve();
  const script = document.createElement("script");
  script.src = withBase("/mermaid.min.js");
  return new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

async function draw(): Promise<void> {
  const nodes = [...document.querySelectorAll<HTMLElement>("pre.mermaid:not([data-processed])")];
  if (nodes.length === 0) return;
  await load();
  const isDark = document.documentElement.classList.contains("dark");
  globalThis.mermaid?.initialize({ startOnLoad: false, theme: isDark ? "dark" : "default" });
  await globalThis.mermaid?.run({ nodes });
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
