// Follows the runs: when one changes, the page's live parts are asked for again and put in place where they differ.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** @param onChange hears the names of runs that have changed */
export function startLive(onChange: (runs: readonly string[]) => void): void {
  const status = document.querySelector("#live");
  let changed = new Set<string>();
  let timer: number | undefined;
  let source: EventSource | undefined;
  const say = (text: string): void => {
    if (status) status.textContent = text;
  };
  const soon = (): void => {
    if (timer !== undefined) return;
    timer = window.setTimeout(async () => {
      const runs = [...changed];
      changed = new Set();
      timer = undefined;
      onChange(runs);
      await refreshParts().catch(() => say("the server does not answer"));
    }, 150);
  };
  const connect = (): void => {
    source = new EventSource("/events");
    source.addEventListener("open", () => {
      say("live");
      if (status?.hasAttribute("data-lost")) soon(); // what happened meanwhile
      status?.removeAttribute("data-lost");
    });
    source.addEventListener("change", ({ data }) => {
      changed.add((JSON.parse(data as string) as { run: string }).run);
      soon();
    });
    source.addEventListener("error", () => {
      status?.setAttribute("data-lost", "");
      say("not connected; trying again");
    });
  };
  // A browser keeps six connections to a server: pages that nobody looks at give theirs back.
  const follow = (): void => {
    if (document.hidden) {
      source?.close();
      source = undefined;
      status?.setAttribute("data-lost", "");
    } else if (!source) connect();
  };
  document.addEventListener("visibilitychange", follow);
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", ({ persisted }) => persisted && connect());
  follow();
}

/** Replaces each part that is another one now; what has the focus, or is being chosen, stays. */
export async function refreshParts(): Promise<void> {
  const parts = [...document.querySelectorAll<HTMLElement>("[data-live]")];
  if (parts.length === 0) return;
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of parts) {
    const fresh = page.getElementById(part.id);
    if (!fresh || fresh.innerHTML === part.dataset.shown) continue;
    if (part.dataset.shown === undefined && fresh.innerHTML === part.innerHTML) continue;
    const shown = fresh.innerHTML;
    keepState(part, fresh);
    part.replaceChildren(...fresh.childNodes);
    part.dataset.shown = shown;
    part.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
  }
}

function keepState(from: HTMLElement, to: HTMLElement): void {
  for (const box of from.querySelectorAll<HTMLInputElement>("input[data-keep]")) {
    const own = to.querySelector<HTMLInputElement>(`input[data-keep="${CSS.escape(box.dataset.keep ?? "")}"]`);
    if (own && box.checked) own.setAttribute("checked", "");
    if (own && box === document.activeElement) queueMicrotask(() => own.focus());
  }
  const opened = [...from.querySelectorAll("details")].map(({ open }) => open);
  const fresh = [...to.querySelectorAll("details")];
  if (opened.length === fresh.length) for (const [i, one] of fresh.entries()) one.open = opened[i] ?? false;
}
