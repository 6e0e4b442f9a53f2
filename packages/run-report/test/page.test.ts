// The page with hostile strings in every place, as an independent HTML parser sees it.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type GroupData, type PageData, renderPage } from "../src/index.ts";
import { attribute, dangers, elementsBelow, parseDocument, textOf } from "./support/document.ts";

const attacks = [
  "toString",
  "__proto__",
  `</script><img src=x onerror=alert(1)>`,
  `"><svg onload=alert(1)>`,
  `' onmouseover='alert(1)`,
  `</style><script>alert(1)</script>`,
  `<!--`,
  `]]><x>`,
  `javascript:alert(1)`,
  "\u0000\u0008<b>\ud800\uffff",
  `&lt;script&gt;`,
  `</title></textarea></svg><iframe src="https://example.org">`,
];

/** A page with a different string in each place where one can stand. */
function pageOf(text: () => string): PageData {
  const group = (run: string): GroupData => ({
    run,
    step: 3,
    group: 0,
    task: {
      id: text(),
      source: text(),
      question: text(),
      answers: [text(), text()],
      image: { id: "a", width: 4, height: 3 },
    },
    blocks: [
      { kind: text(), name: text(), text: text() },
      { kind: "image", name: text() },
    ],
    size: 8,
    samples: [
      {
        sample: 1,
        turns: [
          {
            text: text(),
            tokens: 5,
            meanLogProb: -0.5,
            advantage: 1.5,
            tool: {
              status: text(),
              reason: text(),
              tools: [text()],
              keys: [text()],
              unknownKeys: [text()],
              changed: false,
              image: { id: text(), width: 400, height: 3 },
            },
          },
        ],
        rewards: [
          ["outcome", 1],
          [text(), Number.NaN],
        ],
        penalty: 0.25,
        shapedReward: null,
        evidence: [
          {
            title: text(),
            labels: [text(), text()],
            series: [
              { name: text(), values: [0.5, -1] },
              { name: text(), values: [null, Number.POSITIVE_INFINITY] },
            ],
          },
        ],
        numbers: [[text(), 3]],
      },
    ],
  });
  const names = [text(), text()];
  const chart = () => ({
    title: text(),
    xLabel: text(),
    yLabel: text(),
    references: [{ name: text(), y: 2 }],
    series: names.map((name) => ({
      name,
      points: [
        { x: 0, y: 1 },
        { x: 1, y: 3, low: 2, high: 4 },
      ],
    })),
  });
  return {
    title: text(),
    notes: [text()],
    summary: { columns: [text(), ...names], rows: [[text(), text(), text()]] },
    charts: [{ title: text(), charts: [chart()] }],
    otherCharts: [chart()],
    groups: names.map(group),
    images: { a: "data:image/png;base64,AAAA" },
    runs: names.map((name) => ({
      name,
      facts: [[text(), text()]],
      timings: { columns: [text()], rows: [[text()]] },
      alarms: [{ step: 1, name: text(), meaning: text() }],
      config: text(),
    })),
  };
}

/** What of a string a document can hold. */
function held(text: string): string {
  return text
    .toWellFormed()
    .replace(/(?![\t\n\r])[\p{Cc}\p{Noncharacter_Code_Point}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

test("attacks in every place are text: nothing runs, nothing is loaded, every string is read as it is", () => {
  let count = 0;
  const given: string[] = [];
  const text = (): string => {
    const next = `${count}:${attacks[count++ % attacks.length]}`;
    given.push(next);
    return next;
  };
  const page = parseDocument(renderPage(pageOf(text)));
  expect(page.errors).toEqual([]);
  expect(dangers(page)).toEqual([]);
  expect(page.elements.filter(({ tagName }) => tagName === "script")).toHaveLength(1);
  const texts = page.elements.flatMap((element) => [
    ...("childNodes" in element ? element.childNodes.flatMap((child) => ("value" in child ? child.value : [])) : []),
    ...element.attrs.map(({ value }) => value),
  ]);
  const whole = texts.join("\n");
  for (const one of given.slice(0, -1)) {
    if (one.startsWith("16:")) continue; // an image's id: twelve characters of it are shown
    expect(whole).toContain(held(one).slice(0, 12));
  }
});

test("any strings make a document without parse errors and without dangers", () => {
  const strings = fc.array(fc.oneof(fc.string({ unit: "binary", maxLength: 30 }), fc.constantFrom(...attacks)), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(strings, (pool) => {
      let next = 0;
      const page = parseDocument(renderPage(pageOf(() => pool[next++ % pool.length] as string)));
      expect(page.errors).toEqual([]);
      expect(dangers(page)).toEqual([]);
    }),
    { numRuns: process.env.IAPO_FULL ? 200 : 10 },
  );
});

test("each group is an article that its list entry leads to; an image that was not kept is named", () => {
  const { elements } = parseDocument(renderPage(pageOf(() => "text")));
  const articles = elements.filter(({ tagName }) => tagName === "article");
  const links = elements.filter((one) => attribute(one, "data-status") !== undefined);
  expect(links.map((link) => attribute(link, "href"))).toEqual(articles.map((one) => `#${attribute(one, "id")}`));
  const [first] = articles;
  expect(elementsBelow(first!).filter(({ tagName }) => tagName === "img")).toHaveLength(1);
  expect(textOf(first!)).toContain("400 × 3 pixels, is not in this report");
  expect(textOf(first!)).toContain("dropped");
});

test("a page of nothing but a run is whole", () => {
  const run = { name: "a", facts: [], timings: { columns: [], rows: [] }, alarms: [], config: "" };
  const empty = { columns: [], rows: [] };
  const data = {
    title: "a",
    notes: [],
    runs: [run],
    summary: empty,
    charts: [],
    otherCharts: [],
    groups: [],
    images: {},
  };
  const page = parseDocument(renderPage(data));
  expect([page.errors, dangers(page)]).toEqual([[], []]);
  expect(page.elements.some((one) => attribute(one, "id") === "groups")).toBe(false);
});
