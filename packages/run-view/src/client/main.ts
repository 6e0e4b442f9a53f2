// What the pages do in the browser. They are whole without it, but for the curves.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import "uplot/dist/uPlot.min.css";
import { enhance } from "@iapo/run-report/browser";
import { startCurves } from "./curves.ts";
import { startForms } from "./forms.ts";
import { startKeys } from "./keys.ts";
import { startLive } from "./live.ts";
import { startTheme } from "./theme.ts";

startTheme();
startKeys();
startForms();
enhance(document);
document.addEventListener("refreshed", ({ target }) => enhance(target as Element));
const curves = startCurves();
startLive((runs) => curves?.refresh(runs));
