// Forms: the filter of episodes answers while one writes, choices take effect at once, and a replay's answer comes beneath its button.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { refreshParts } from "./live.ts";

export function startForms(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-submit]")) {
    form.addEventListener("change", ({ target }) => target instanceof HTMLSelectElement && form.requestSubmit());
    for (const button of form.querySelectorAll<HTMLElement>("button[type=submit]"))
      button.hidden = form.querySelector("input[type=checkbox]") === null;
  }
  startFilter();
  startReplay();
}

function startFilter(): void {
  const form = document.querySelector<HTMLFormElement>("#filter");
  if (!form) return;
  let timer: number | undefined;
  const apply = (): void => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") query.append(name, value as string);
    history.replaceState(null, "", query.size > 0 ? `${location.pathname}?${query}` : location.pathname);
    void refreshParts();
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(apply, 120);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    apply();
  });
}

function startReplay(): void {
  const form = document.querySelector<HTMLFormElement>("#replay");
  const place = document.querySelector<HTMLElement>("#replayed");
  if (!form || !place) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button) button.disabled = true;
    place.textContent = "replaying …";
    try {
      const response = await fetch(form.action, { method: "POST" });
      const answer = new DOMParser().parseFromString(await response.text(), "text/html");
      place.replaceChildren(...answer.body.childNodes);
    } catch {
      place.textContent = "the server does not answer";
    }
    if (button) button.disabled = false;
  });
}
