// Functions by module path.
import { expect, test } from "vitest";
import { GrpoError, loadFunction, type RewardFunction } from "../src/index.ts";

const base = import.meta.dirname;

test("a module's default export is loaded and called", async () => {
  const reward = await loadFunction<RewardFunction>("./fixtures/functions.ts", base);
  expect(await reward({ turns: [1, 2] } as never)).toEqual({ outcome: 0.5 });
});

test.each([
  ["./fixtures/functions.ts#number", "what it exports is no function, but number"],
  ["./fixtures/functions.ts#missing", "exports no missing, but default, number"],
  ["./fixtures/none.ts", "cannot be loaded"],
])("%s is refused", async (path, message) => {
  await expect(loadFunction(path, base)).rejects.toThrow(GrpoError);
  await expect(loadFunction(path, base)).rejects.toThrow(message);
});
