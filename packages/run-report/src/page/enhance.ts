// What pages of runs do in the browser beyond reading. Pages hold the text of this function, so nothing outside of it may be used in it.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** Sliders from the original to the edited image, and charts that are read out; for what is new below `root`. */
export function enhance(root: ParentNode): void {
  for (const edited of root.querySelectorAll<HTMLElement>(".edited:not([data-ready])")) slide(edited);
  for (const chart of root.querySelectorAll<SVGSVGElement>("svg[data-domain]:not([data-ready])")) readOut(chart);

  /** Without its original on the page an edited image stays as it is. */
  function slide(edited: HTMLElement): void {
    edited.dataset.ready = "";
    const image = edited.querySelector("img");
    const original = document.querySelector<HTMLImageElement>(
      `img[data-image="${CSS.escape(edited.dataset.before ?? "")}"]`,
    );
    if (!image || !original) return;
    const over = original.cloneNode() as HTMLImageElement;
    over.alt = "The original, over the edited image";
    over.className = `${image.className} before`;
    const frame = document.createElement("div");
    frame.className = "slider";
    const range = document.createElement("input");
    const start = edited.closest(".chosen") ? "50" : "100"; // beside others it is the edited image that is looked at
    Object.assign(range, { type: "range", min: "0", max: "100", value: start });
    range.setAttribute("aria-label", "from the original (right) to the edited image (left)");
    const apply = (): void => frame.style.setProperty("--at", `${range.value}%`);
    range.addEventListener("input", apply);
    image.replaceWith(frame);
    frame.append(image, over);
    edited.append(range);
    apply();
  }

  /** The values nearest to the pointer, or to the place that the arrow keys have moved to. */
  function readOut(chart: SVGSVGElement): void {
    chart.dataset.ready = "";
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
