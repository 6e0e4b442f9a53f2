// The keyboard: pages by two letters, the next and the previous of what is listed, search.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

export function startKeys(): void {
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as Element;
    if (target.closest("input:not([type=checkbox]), select, textarea")) return;
    const { key } = event;
    const place = isGoing
      ? document.querySelector<HTMLAnchorElement>(`header nav a[data-key="${CSS.escape(key)}"]`)
      : null;
    isGoing = key === "g";
    if (place) return place.click();
    if (key === "t") document.querySelector<HTMLElement>("#theme")?.click();
    else if (key === "/") {
      const search = document.querySelector<HTMLInputElement>("main input[type=search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
    } else if (key === "?") {
      const keys = document.querySelector<HTMLDetailsElement>("#keys");
      if (keys) keys.open = !keys.open;
    } else if (key === "j" || key === "k")
      document.querySelector<HTMLAnchorElement>(`main a[rel=${key === "j" ? "next" : "prev"}]`)?.click();
  });
}
