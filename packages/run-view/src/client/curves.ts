// The page of curves: each chart asks for its values when it comes into view. What is set stands in the address.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { type CurveData, type CurvePlot, drawCurve, type PlotSettings } from "./plot.ts";

export interface Curves {
  /** The values of these runs have changed. */
  refresh(runs: readonly string[]): void;
}

/** Undefined on other pages. */
export function startCurves(): Curves | undefined {
  const controls = document.querySelector<HTMLFormElement>("#curve-controls");
  if (!controls) return undefined;
  const field = (name: string): HTMLInputElement => controls.elements.namedItem(name) as HTMLInputElement;
  const plots = new Map<HTMLElement, CurvePlot>();
  const visible = new Set<HTMLElement>();
  const stale = new Set<HTMLElement>();
  let range: PlotSettings["range"] = rangeOf(new URLSearchParams(location.search).get("x"));
  const whole = document.querySelector<HTMLElement>("#whole");

  const settings = (): PlotSettings => ({ smooth: Number(field("smooth").value), log: field("log").checked, range });
  const remember = (): void => {
    const query = new URLSearchParams(location.search);
    const set = (name: string, value: string | undefined): void =>
      value ? query.set(name, value) : query.delete(name);
    const { smooth, log } = settings();
    set("smooth", smooth > 0 ? String(smooth) : undefined);
    set("log", log ? "1" : undefined);
    set("x", range?.map((value) => Number(value.toPrecision(6))).join("_"));
    set("find", field("find").value);
    history.replaceState(null, "", `${location.pathname}?${query}`);
    if (whole) whole.hidden = range === undefined;
  };
  const zoom = (to: readonly [number, number] | undefined): void => {
    range = to;
    remember();
    for (const plot of plots.values()) plot.zoom(range);
  };
  const load = async (figure: HTMLElement): Promise<void> => {
    stale.delete(figure);
    const query = new URLSearchParams(location.search);
    const asked = new URLSearchParams([
      ["metric", figure.dataset.metric ?? ""],
      ...query.getAll("run").map((run) => ["run", run]),
    ]);
    if (query.get("mean") === "1") asked.set("mean", "1");
    const response = await fetch(`/data/curve.json?${asked}`).catch(() => undefined);
    const output = figure.querySelector("output");
    if (!response?.ok) {
      if (output) output.textContent = "the values cannot be had";
      return;
    }
    const data = (await response.json()) as CurveData;
    const held = plots.get(figure);
    if (held) held.update(data, settings());
    else plots.set(figure, drawCurve(figure, data, settings(), zoom));
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const figure = target as HTMLElement;
        if (isIntersecting) visible.add(figure);
        else visible.delete(figure);
        if (isIntersecting && (!plots.has(figure) || stale.has(figure))) void load(figure);
      }
    },
    { rootMargin: "300px" },
  );
  const figures = [...document.querySelectorAll<HTMLElement>("figure.curve")];
  const find = (): void => {
    const wanted = field("find").value.toLowerCase();
    for (const figure of figures)
      figure.hidden = !`${figure.dataset.metric} ${figure.dataset.title}`.toLowerCase().includes(wanted);
    for (const section of document.querySelectorAll<HTMLElement>("#charts section"))
      section.hidden = section.querySelector("figure.curve:not([hidden])") === null;
  };
  const apply = (): void => {
    const output = controls.querySelector("output");
    if (output) output.textContent = field("smooth").value;
    for (const plot of plots.values()) plot.set(settings());
  };

  const given = new URLSearchParams(location.search);
  field("smooth").value = given.get("smooth") ?? "0";
  field("log").checked = given.get("log") === "1";
  field("find").value = given.get("find") ?? "";
  controls.addEventListener("input", ({ target }) => {
    if (target === field("mean")) return controls.requestSubmit();
    if (target === field("find")) find();
    else apply();
    remember();
  });
  controls.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = new URLSearchParams(location.search);
    if (field("mean").checked) query.set("mean", "1");
    else query.delete("mean");
    location.search = String(query);
  });
  whole?.addEventListener("click", () => zoom(undefined));
  document.addEventListener("themechange", () =>
    requestAnimationFrame(() => {
      for (const plot of plots.values()) plot.set(settings());
    }),
  );
  find();
  apply();
  if (whole) whole.hidden = range === undefined;
  for (const figure of figures) watcher.observe(figure);
  return {
    refresh(runs) {
      const chosen = new URLSearchParams(location.search).getAll("run");
      if (chosen.length > 0 && !runs.some((run) => chosen.includes(run))) return;
      if (figures.length === 0) return location.reload(); // the first values are there
      for (const figure of plots.keys()) stale.add(figure);
      for (const figure of visible) void load(figure);
    },
  };
}

function rangeOf(text: string | null): [number, number] | undefined {
  const [low, high] = (text ?? "").split("_").map(Number);
  return low !== undefined && high !== undefined && high > low ? [low, high] : undefined;
}
