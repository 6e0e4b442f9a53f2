// What the page does in the browser. The page holds the text of this function, so nothing outside of it may be used in it.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** Without it all groups show one after another: reading never depends on it. */
export function behavior(): void {
  const all = <E extends Element>(selector: string): E[] => [...document.querySelectorAll<E>(selector)];
  const root = document.documentElement;

  const theme = document.querySelector("#theme");
  theme?.addEventListener("click", () => {
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  });

  browseGroups();

  function browseGroups(): void {
    const links = all<HTMLAnchorElement>("#groups nav a");
    const groups = all<HTMLElement>("#groups article");
    if (links.length === 0) return;
    root.classList.add("browsing");
    const filters = all<HTMLSelectElement>("#groups select");
    let current = 0;
    const fits = (link: HTMLAnchorElement): boolean =>
      filters.every(({ name, value }) => value === "" || (link.dataset[name] ?? "").split("\n").includes(value));
    const show = (index: number, focus: boolean): void => {
      current = index;
      groups.forEach((group, i) => {
        group.hidden = i !== index;
      });
      links.forEach((link, i) => {
        if (i === index) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      });
      const link = links[index] as HTMLAnchorElement;
      if (focus) {
        link.focus();
        history.replaceState(null, "", link.hash); // the address leads here
      }
      const list = link.closest("ol") as HTMLElement;
      const item = link.parentElement as HTMLElement;
      if (item.offsetTop < list.scrollTop || item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight)
        list.scrollTop = item.offsetTop - list.clientHeight / 2;
    };
    const move = (by: number): void => {
      for (let i = current + by; i >= 0 && i < links.length; i += by) {
        const link = links[i] as HTMLAnchorElement;
        if (fits(link)) {
          show(i, false);
          return;
        }
      }
    };
    links.forEach((link, i) => {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        show(i, true);
      });
    });
    for (const filter of filters) {
      filter.addEventListener("change", () => {
        for (const link of links) (link.parentElement as HTMLElement).hidden = !fits(link);
        const first = links.findIndex(fits);
        const isCurrentHidden = !fits(links[current] as HTMLAnchorElement);
        if (isCurrentHidden && first >= 0) show(first, false);
      });
    }
    all("#groups button[data-move]").forEach((button) => {
      button.addEventListener("click", () => move(Number((button as HTMLElement).dataset.move)));
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as Element;
      if (target.closest("input, select, textarea, svg, pre, .table")) return;
      if (event.key === "j" || event.key === "ArrowRight") move(1);
      else if (event.key === "k" || event.key === "ArrowLeft") move(-1);
    });
    const linked = links.findIndex(({ hash }) => hash === location.hash);
    show(Math.max(0, linked), false);
  }
}
