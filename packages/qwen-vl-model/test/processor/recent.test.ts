// What is kept of recent texts: results as they were, few of them, and none of long texts.
import { afterEach, expect, test, vi } from "vitest";
import { ChatTemplate } from "../../src/processor/chat-template.ts";
import { Recent } from "../../src/processor/recent.ts";

afterEach(() => vi.useRealTimers());

test("a text that comes again is not computed again, until 512 others came", () => {
  const asked: string[] = [];
  const recent = new Recent((text) => {
    asked.push(text);
    return text.length;
  });
  for (const text of ["a", "bb", "a", "bb"]) expect(recent.get(text)).toBe(text.length);
  expect(asked).toEqual(["a", "bb"]);
  for (let i = 0; i < 511; i++) recent.get(`text ${i}`);
  recent.get("bb"); // used last before the others, so still there
  recent.get("a");
  expect(asked.filter((text) => text.length < 3)).toEqual(["a", "bb", "a"]);
  const long = "x".repeat(5000);
  recent.get(long);
  recent.get(long);
  expect(asked.filter((text) => text === long)).toHaveLength(2);
});

test("a template that tells the time tells it each time; others tell what they are given", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const said = (content: string) => [{ role: "user", content }];
  const clock = new ChatTemplate("{{ strftime_now('%Y') }}{{ messages[0].content }}");
  const echo = new ChatTemplate("{{ messages[0].content }}{% if add_generation_prompt %}!{% endif %}");
  for (const year of ["2030", "2031"]) {
    vi.setSystemTime(new Date(`${year}-06-01T12:00:00`));
    expect(clock.render(said("a"))).toBe(`${year}a`);
    for (const text of ["a", "b\ud800"]) {
      expect(echo.render(said(text))).toBe(text);
      expect(echo.render(said(text), { addGenerationPrompt: true })).toBe(`${text}!`);
    }
  }
});
