// A step's replay: what was logged beside what was computed again.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { formatNumber } from "@iapo/run-report";

/** A number of a step, logged and computed again. */
export interface ReplayedNumber {
  /** Such as `reward`, `advantage`, `loss`. */
  readonly what: string;
  readonly group?: number | undefined;
  readonly sample?: number | undefined;
  readonly detail: string;
  readonly logged: number | undefined;
  readonly replayed: number | undefined;
}

const mostRows = 2000;

export function replayedView(numbers: readonly ReplayedNumber[], problem: string | undefined): Markup {
  const kinds = [...new Set(numbers.map(({ what }) => what))];
  const isOther = ({ logged, replayed }: ReplayedNumber): boolean => !Object.is(logged, replayed);
  const summary = kinds.map((what) => {
    const own = numbers.filter((one) => one.what === what);
    const largest = own.reduce(
      (most, { logged = Number.NaN, replayed = Number.NaN }) => Math.max(most, Math.abs(logged - replayed) || 0),
      0,
    );
    return html`<tr><td>${what}</td><td>${own.length}</td><td>${own.length - own.filter(isOther).length}</td><td>${formatNumber(largest)}</td></tr>`;
  });
  const rows = numbers.slice(0, mostRows).map((one) => {
    const { what, group, sample, detail, logged, replayed } = one;
    return html`<tr${isOther(one) && html` class="differs"`}><td>${what} ${detail}</td><td>${group !== undefined && html`${group}·${sample ?? ""}`}</td><td>${text(logged)}</td><td>${text(replayed)}</td></tr>`;
  });
  return html`${problem === undefined ? html`<p><span class="tag good">✓ replayed</span> within the tolerance</p>` : html`<p class="alarm">✕ ${problem}</p>`}
<div class="table" tabindex="0"><table><thead><tr><th scope="col">number</th><th scope="col">compared</th><th scope="col">equal to the bit</th><th scope="col">largest difference</th></tr></thead><tbody>${summary}</tbody></table></div>
<details><summary>Each number, logged beside recomputed</summary><div class="table" tabindex="0"><table class="list"><thead><tr><th scope="col">number</th><th scope="col">episode</th><th scope="col">logged</th><th scope="col">recomputed</th></tr></thead><tbody>${rows}</tbody></table></div>${numbers.length > mostRows && html`<p class="note">The first ${mostRows} of ${numbers.length}.</p>`}</details>`;
}

function text(value: number | undefined): string {
  return value === undefined ? "none" : String(value);
}
