// What is kept of recent texts: results as they were, few of them, and none of long texts.
import { expect, test } from "vitest";
import { Recent } from "../../src/processor/recent.ts";

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
