// What the viewer's style sheet has beyond the report's.

export const viewStyle: string = `
.view main { max-width: 1900px; padding-bottom: 60px; }
.view header { max-width: 1900px; padding-top: 10px; border-bottom: 1px solid var(--line); padding-bottom: 8px; position: relative; }
.view header nav { flex: 1 1 auto; gap: 2px 4px; }
.view header nav a { padding: 4px 10px; border-radius: 6px; text-decoration: none; color: var(--ink); }
.view header nav a[aria-current] { background: var(--card); box-shadow: inset 0 -2px var(--accent); }
.view h1 { margin: 18px 0 6px; }
#live { min-width: 40px; margin: 0; }
#keys { margin: 0; }
#keys[open] { flex-basis: 100%; }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; font: 12px ui-monospace, monospace; background: var(--card); }
.hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 3px 8px; max-width: 100%; accent-color: var(--accent); }
input[type="range"] { padding: 0; vertical-align: middle; }
:root:not(.browsing) .view .bar { display: flex; }
.list td, .list th { padding: 6px 16px 6px 0; text-align: left; }
.list .n { text-align: right; }
.pick input { vertical-align: middle; }
progress { width: 90px; height: 8px; accent-color: var(--accent); vertical-align: middle; }
.bar label { max-width: 100%; }
.bar select { min-width: 0; max-width: 250px; }
.choice form { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 8px 0; }
.controls { position: sticky; top: 0; z-index: 3; background: var(--paper); padding: 6px 0; border-bottom: 1px solid var(--line); gap: 8px 18px; }
.controls output { min-width: 32px; font-variant-numeric: tabular-nums; }
.view .charts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); }
figcaption { padding: 6px 10px 0; font-weight: 600; font-size: 14px; display: flex; justify-content: space-between; gap: 10px; }
.exports { font-weight: 400; font-size: 12px; color: var(--soft); white-space: nowrap; }
.plot { min-height: 190px; overflow: hidden; }
.curve output { min-height: 38px; }
.swatch { position: absolute; }
.swatch.s0, .u.s0 { color: light-dark(#0072b2, #56a8e0); }
.swatch.s1 { color: light-dark(#d55e00, #f08a3e); }
.swatch.s2 { color: light-dark(#009e73, #2fc79b); }
.swatch.s3 { color: #cc79a7; }
.swatch.s4 { color: #e69f00; }
.swatch.s5 { color: #56b4e9; }
.swatch.s6 { color: light-dark(#6b6b6b, #b5b5b5); }
.u-select { background: color-mix(in srgb, var(--accent) 20%, transparent); }
.asked { max-width: 360px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: left; }
.asked a { color: inherit; text-decoration: none; }
.view .table:not(:has(.texts)) td:first-child { min-width: 0; }
.view .table .runs td:first-child { min-width: 150px; overflow-wrap: anywhere; }
input[type="number"] { width: 86px; }
.mark { font-weight: 700; color: var(--soft); }
.mark.good { color: var(--good); }
.mark.bad { color: var(--bad); }
.signs { white-space: normal; text-align: left; }
.signs a { text-decoration: none; padding: 0 3px; }
.button { border: 1px solid var(--line); border-radius: 6px; padding: 3px 10px; background: var(--card); text-decoration: none; }
.chosen { margin-top: 10px; }
.chosen .sample pre { max-height: none; }
.t { border-radius: 2px; }
.edited .slider img.small { width: 300px; }
.chosen .edited .slider img.small, .chosen .edited input { width: 380px; }
.timeline { width: 100%; height: 30px; border-radius: 4px; }
.pack { margin: 8px 0; padding: 4px 8px 8px; }
.pack figcaption { font-weight: 400; padding: 2px 0 6px; font-size: 13px; }
.prompt { fill: var(--more); }
.response { fill: color-mix(in srgb, var(--more) 35%, var(--paper)); }
.matrix { margin: 10px 0 20px; }
.matrix th { text-align: left; }
.differs td { color: var(--bad); }
.studies { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 520px), 1fr)); }
.study img { border: 0; width: 100%; }
@media (min-width: 1000px) { .chosen .sample { columns: 2 420px; column-gap: 32px; } .chosen .sample > * { break-inside: avoid; } }
@media (max-width: 820px) { .controls { position: static; gap: 6px 10px; } .view header nav a { padding: 3px 7px; } .asked { max-width: 240px; } .view h1 { font-size: 20px; } }
@media print { .view header, .controls, .exports, form .bar { display: none !important; } figure { break-inside: avoid; } }
`;
