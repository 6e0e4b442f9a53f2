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
  for (const chart of all<SVGSVGElement>("svg[data-domain]")) readOut(chart);

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

  /** The values nearest to the pointer, or to the place that the arrow keys have moved to. */
  function readOut(chart: SVGSVGElement): void {
    const numbers = (text: string | undefined): number[] => (text ?? "").split(" ").map(Number);
    const [left, right, top, bottom] = numbers(chart.dataset.frame) as [number, number, number, number];
    const [x0, x1, y0, y1] = numbers(chart.dataset.domain) as [number, number, number, number];
    const series = [...chart.querySelectorAll<SVGGElement>("g.series[data-name]")].map((group) => ({
      name: group.dataset.name ?? "",
      points: [...group.querySelectorAll("polyline")].flatMap((line) => [...line.points].map(({ x, y }) => ({ x, y }))),
    }));
    const places = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
    const figure = chart.closest("figure");
    const output = figure?.querySelector("output");
    if (!output || places.length === 0) return;
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [name, value] of Object.entries({ y1: top, y2: bottom, class: "cursor" }))
      cursor.setAttribute(name, String(value));
    const valueAt = (y: number): number => {
      const share = (bottom - y) / (bottom - top);
      return chart.dataset.scale === "log" ? y0 * (y1 / y0) ** share : y0 + share * (y1 - y0);
    };
    const show = (place: number): void => {
      const x = places[place] as number;
      cursor.setAttribute("x1", String(x));
      cursor.setAttribute("x2", String(x));
      chart.append(cursor);
      const step = Math.round(x0 + ((x - left) / (right - left)) * (x1 - x0));
      const found = series.flatMap(({ name, points }) => {
        const point = points.find((one) => one.x === x);
        return point ? [`${name} ${Number(valueAt(point.y).toPrecision(3))}`] : [];
      });
      output.textContent = `step ${step}: ${found.join(", ")}`;
    };
    const hide = (): void => {
      cursor.remove();
      output.textContent = "";
    };
    let current = 0;
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
      current = places.reduce(
        (best, place, i) => (Math.abs(place - x) < Math.abs((places[best] as number) - x) ? i : best),
        0,
      );
      show(current);
    });
    chart.addEventListener("pointerleave", hide);
    chart.addEventListener("focus", () => show(current));
    chart.addEventListener("blur", hide);
    chart.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (by === 0) return;
      event.preventDefault();
      current = Math.min(places.length - 1, Math.max(0, current + by));
      show(current);
    });
    chart.setAttribute("tabindex", "0");
  }
}
