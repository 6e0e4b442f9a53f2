// The frame of every page: head, navigation, and the parts that follow a run while it trains.
import { html, type Markup, type Part } from "@iapo/rollout-trace/text";
import { address } from "./address.ts";

export type Place = "runs" | "curves" | "episodes" | "steps" | "fleet" | "compare" | "studies";

export interface Page {
  readonly title: string;
  readonly place: Place;
  /** Runs that are chosen: they stay so on the way to other pages. */
  readonly chosen: readonly string[];
  readonly body: Part;
}

const places: readonly (readonly [Place, path: string, title: string, key: string])[] = [
  ["runs", "/", "Runs", "r"],
  ["curves", "/curves", "Curves", "c"],
  ["episodes", "/episodes", "Episodes", "e"],
  ["steps", "/steps", "Steps", "s"],
  ["fleet", "/fleet", "Fleet", "f"],
  ["compare", "/compare", "Compare", "m"],
  ["studies", "/studies", "Studies", "u"],
];

export function layout({ title, place, chosen, body }: Page): string {
  const links = places.map(
    ([name, path, text, key]) =>
      html`<a href="${address(path, { run: chosen })}" data-key="${key}"${name === place && html` aria-current="page"`}>${text}</a>`,
  );
  return `<!doctype html>\n${html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · iapo view</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/view.css">
<script type="module" src="/assets/view.js"></script>
</head>
<body class="view">
<header>
<a class="skip" href="#content">Skip to the content</a>
<nav aria-label="Pages">${links}</nav>
<span id="live" class="note" role="status"></span>
<button type="button" id="theme">Dark or light</button>
<details id="keys"><summary>Keys</summary><p><kbd>g</kbd> then ${places.map(([, , text, key]) => html`<kbd>${key}</kbd> ${text}  `)}<br><kbd>j</kbd> <kbd>k</kbd> next, previous   <kbd>/</kbd> search   <kbd>t</kbd> dark or light   <kbd>?</kbd> this list   arrows read a focused chart out, <kbd>Esc</kbd> takes back its zoom</p></details>
</header>
<main id="content">
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`}`;
}

/** A part that is asked for again when a run changes. Ids are unique in the page. */
export function live(id: string, content: Part): Markup {
  return html`<div id="${id}" data-live>${content}</div>`;
}
