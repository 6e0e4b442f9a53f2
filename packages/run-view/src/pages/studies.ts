// Case studies as charts, and the figures that other studies left.

import { html, type Markup } from "@iapo/rollout-trace/text";
import { caseStudyCharts, lineChart, readCaseStudy } from "@iapo/run-report";
import type { StudyFiles } from "../runs/study-files.ts";
import { address } from "./address.ts";
import { layout } from "./layout.ts";

export async function studiesPage({ pictures, caseStudies }: StudyFiles): Promise<string> {
  const studies: Markup[] = [];
  for (const { name, path } of caseStudies) {
    try {
      const study = await readCaseStudy(path);
      if (study)
        studies.push(
          html`<h2>Case study of ${name}</h2><div class="charts">${caseStudyCharts(study, name).map((chart) => html`<figure>${lineChart(chart)}<output></output></figure>`)}</div>`,
        );
    } catch (error) {
      studies.push(html`<h2>Case study of ${name}</h2><p class="alarm">${(error as Error).message}</p>`);
    }
  }
  const figures = pictures.map(
    ({ name }) =>
      html`<figure class="study"><figcaption>${name}</figcaption><img src="${address("/study", { file: name })}" alt="${name}" loading="lazy"></figure>`,
  );
  const isEmpty = studies.length + figures.length === 0;
  return layout({
    title: "Studies",
    place: "studies",
    chosen: [],
    body: [
      studies,
      figures.length > 0 && html`<h2>Figures</h2><div class="studies">${figures}</div>`,
      isEmpty &&
        html`<p class="note">There is none below the directories that were named: <code>iapo case-study</code>, <code>diagnose</code>, <code>ablate</code>, <code>attribute</code> and <code>report --figures</code> make them.</p>`,
    ],
  });
}
