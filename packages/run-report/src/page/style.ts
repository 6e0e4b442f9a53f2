// The style sheet of pages of runs.
import { tokenStyle } from "./tokens.ts";

export const pageStyle: string = `
:root { color-scheme: light dark; --paper: light-dark(#fbfbf9, #16181b); --card: light-dark(#fff, #1f2226); --ink: light-dark(#1c1c1c, #e6e4df);
  --soft: light-dark(#5d5d5d, #a5a39d); --line: light-dark(#deddd8, #383b40); --accent: light-dark(#0062a3, #6cb8ee); --bad: light-dark(#b3400a, #ff9d66);
  --good: light-dark(#00734f, #4fd3a6); --more: light-dark(#0072b2, #56a8e0); --less: light-dark(#d55e00, #f08a3e); }
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, main { max-width: 1360px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 20px; padding-top: 20px; }
header nav { display: flex; flex-wrap: wrap; gap: 2px 14px; }
h1 { font-size: 24px; margin: 0; overflow-wrap: anywhere; flex: 1 1 240px; }
h2 { font-size: 19px; margin: 36px 0 10px; }
h3 { font-size: 15px; margin: 18px 0 8px; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
button, select { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 3px 10px; max-width: 100%; }
.note { color: var(--soft); margin: 6px 0; overflow-wrap: anywhere; }
.skip { position: absolute; left: -9999px; }
.skip:focus { position: static; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: top; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
.words { text-align: left; }
.texts td, .texts th { text-align: left; white-space: normal; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); gap: 12px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 4px; min-width: 0; }
svg.chart { display: block; width: 100%; height: auto; color: var(--ink); }
svg.chart .paper { fill: none; }
svg .cursor { stroke: currentColor; stroke-opacity: 0.5; pointer-events: none; }
figure output { display: block; min-height: 19px; padding: 0 10px; font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.others { margin-top: 18px; }
.others .charts { margin-top: 8px; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0; padding: 0; list-style: none; }
.key svg { width: 22px; height: 10px; margin-right: 6px; }
.alarm { color: var(--bad); }
pre { margin: 0; padding: 10px 12px; background: var(--card); border: 1px solid var(--line); border-radius: 6px; font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; max-height: 420px; overflow-y: auto; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 16px; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 6px 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 8px 32px; align-items: start; }
.bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 8px 0; }
.bar label { display: inline-flex; gap: 6px; align-items: center; color: var(--soft); }
:root:not(.browsing) .bar { display: none; }
.browser { display: grid; grid-template-columns: 290px minmax(0, 1fr); gap: 20px; align-items: start; }
.browser > nav { position: sticky; top: 10px; }
.browser ol { list-style: none; margin: 0; padding: 0; max-height: 78vh; overflow-y: auto; position: relative; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
.browser li a { display: block; padding: 6px 10px; color: inherit; text-decoration: none; border-bottom: 1px solid var(--line); border-left: 4px solid transparent; }
.browser li a[aria-current] { border-left-color: var(--accent); background: light-dark(#eef4f9, #26303a); }
.browser li small { display: block; color: var(--soft); }
.browser li .asked { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.browser article { margin-bottom: 32px; }
.browsing .browser article { margin-bottom: 0; }
.task { display: grid; grid-template-columns: minmax(0, 340px) minmax(0, 1fr); gap: 10px 24px; align-items: start; }
.question { font-size: 17px; font-weight: 600; margin: 0 0 8px; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; background: #fff; display: block; }
img.small { width: 300px; image-rendering: pixelated; }
.missing { border: 1px dashed var(--line); border-radius: 4px; padding: 14px; color: var(--soft); font-size: 13px; }
.samples { align-items: start; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 14px; margin-top: 14px; }
.sample { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; background: var(--card); min-width: 0; }
.sample h4 { margin: 0 0 4px; display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 14px; }
.sample pre { background: var(--paper); max-height: 260px; margin: 4px 0; }
.sample p { margin: 6px 0 2px; }
.sample img.small { width: 220px; }
.tag { display: inline-block; font-size: 12px; border: 1px solid var(--line); border-radius: 10px; padding: 0 8px; color: var(--soft); overflow-wrap: anywhere; }
.tag.good { color: var(--good); border-color: currentColor; }
.tag.bad { color: var(--bad); border-color: currentColor; }
.slider { position: relative; width: fit-content; max-width: 100%; }
.slider .before { position: absolute; inset: 0; height: 100%; clip-path: inset(0 0 0 var(--at)); }
.edited input { width: 220px; max-width: 100%; }
.arithmetic { margin: 6px 0; padding: 0; list-style: none; font-variant-numeric: tabular-nums; }
.block { padding: 0 6px; border-radius: 4px; margin: 3px 0; }
mark { background: color-mix(in srgb, var(--bad) 25%, transparent); color: inherit; }
.colors { border: 0; padding: 0; margin: 8px 0; display: flex; flex-wrap: wrap; gap: 2px 14px; }
.colors legend { float: left; padding: 0 14px 0 0; color: var(--soft); }
${tokenStyle}
.s0 :is(line, polyline) { stroke: light-dark(#0072b2, #56a8e0); }
.s0 :is(rect, circle, polygon) { fill: light-dark(#0072b2, #56a8e0); }
.s1 :is(line, polyline) { stroke: light-dark(#d55e00, #f08a3e); }
.s1 :is(rect, circle, polygon) { fill: light-dark(#d55e00, #f08a3e); }
.s2 :is(line, polyline) { stroke: light-dark(#009e73, #2fc79b); }
.s2 :is(rect, circle, polygon) { fill: light-dark(#009e73, #2fc79b); }
.s6 :is(line, polyline) { stroke: light-dark(#6b6b6b, #b5b5b5); }
.s6 :is(rect, circle, polygon) { fill: light-dark(#6b6b6b, #b5b5b5); }
@media (max-width: 820px) {
  header, main { padding: 0 12px; }
  header { padding-top: 12px; }
  .browser, .task { grid-template-columns: minmax(0, 1fr); }
  .browser > nav { position: static; }
  .browser ol { max-height: 220px; }
  th, td { padding-right: 10px; }
  .table:not(:has(.texts)) td:first-child { min-width: 130px; }
  .charts { gap: 8px; }
}
@media print { header nav, #theme, .bar { display: none; } .browsing article[hidden] { display: block; } }
`;
