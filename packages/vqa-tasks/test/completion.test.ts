/** What the answers of servers mean, in the forms in which the makers of servers and gateways write them. */

import { expect, test } from "vitest";
import { readCompletion } from "../src/scoring/completion.ts";

const choice = (content: unknown, finish_reason: unknown = "stop", more: object = {}): object => ({
  choices: [{ message: { content, ...more }, finish_reason }],
});
const read = (answer: unknown, whole = false) => {
  const outcome = readCompletion(answer, whole);
  if ("value" in outcome) return outcome.value;
  return outcome.refused ? (outcome.repeat ? "refused at last" : "refused") : outcome.repeat ? "again" : "failed";
};

test.each<[string, unknown, string]>([
  // Other names of the ways in which a reply ends.
  ["filtered, Gemini", choice("", "SAFETY"), "refused"],
  ["filtered half way, Gemini", choice("It is", "RECITATION"), "refused"],
  ["filtered, Zhipu", choice("", "sensitive"), "refused"],
  ["cut, Gemini", choice("", "MAX_TOKENS"), "refused"],
  ["cut, Anthropic", choice(null, "max_tokens"), "refused"],
  ["cut while thinking in the text", choice("<think>so far", "length"), "refused"],
  ["cut behind its thoughts", choice("so far</think>\n", "length"), "refused"],
  ["aborted, vLLM", choice("It", "abort"), "again"],
  ["no room, DeepSeek", choice("", "insufficient_system_resource"), "again"],
  ["a call of a tool", choice("", "tool_calls"), "refused"],
  ["an end without a name", choice("", "unexpected"), "refused"],
  ["whole, Anthropic", choice("", "end_turn"), ""],
  ["whole, no reason given", choice("hi", null), "hi"],
  // Thoughts in other places.
  ["thoughts of Ollama", choice("", "stop", { thinking: "hm" }), "refused at last"],
  ["thoughts of OpenRouter", choice(null, "stop", { reasoning_details: [{ text: "hm" }] }), "refused at last"],
  [
    "thoughts as a part",
    choice([
      { type: "thinking", thinking: "hm" },
      { type: "text", text: "hi" },
    ]),
    "hi",
  ],
  ["thoughts in the text, which the model ended", choice("<think>hm", "stop"), "<think>hm"],
  // Parts.
  ["a refusal as a part", choice([{ type: "refusal", refusal: "no" }]), "refused"],
  ["text with its annotations", choice([{ type: "text", text: { value: "hi", annotations: [] } }]), "hi"],
  ["parts that are texts", choice(["h", "i"]), "hi"],
  // Faults inside of a 200.
  ["no choices at all", { id: "1", choices: null }, "again"],
  ["no error, said so", { error: false, ...choice("hi") }, "hi"],
  ["an empty error", { error: "", ...choice("hi") }, "hi"],
  ["no key", { error: { code: 401, message: "no auth" } }, "failed"],
  ["no such model", { error: { code: "model_not_found" } }, "failed"],
  ["no money", { error: { type: "insufficient_quota", message: "billing" } }, "failed"],
  ["a prompt too long", { error: { code: "context_length_exceeded" } }, "refused"],
  ["a bad request", { error: { type: "BadRequestError", code: 400 } }, "refused"],
  ["flagged, OpenRouter", { error: { code: 403, message: "input was flagged by moderation" } }, "refused"],
  ["forbidden", { error: { code: 403, message: "your region" } }, "failed"],
  ["a list as an error", { error: ["x"] }, "again"],
  ["a rate by its name", { error: { code: "rate_limit_exceeded" } }, "again"],
  ["a rate, and a policy of rates", { error: { code: 429, type: "content_policy" } }, "again"],
  ["a rate, Zhipu", { code: 1302, msg: "too many requests", success: false }, "again"],
  ["a rate, MiniMax", { base_resp: { status_code: 1002, status_msg: "rate limit" } }, "again"],
  ["a rate, Baidu", { error_code: 18, error_msg: "Open api qps request limit reached" }, "again"],
  ["another API", { object: "list", data: [] }, "failed"],
  ["another API, Ollama's own", { message: { role: "assistant", content: "hi" }, done: true }, "failed"],
  ["a wrong key, OpenAI", { error: { code: "invalid_api_key", type: "invalid_request_error" } }, "failed"],
  ["the choices out of order", { choices: [1, 0].map((index) => ({ index, message: { content: `${index}` } })) }, "0"],
])("%s", (_, answer, expected) => {
  expect(read(answer)).toBe(expected);
});

test("half of a verdict is none", () => {
  expect(read(choice("It is right-1 or", "length"), true)).toBe("refused");
  expect(read(choice("right-1", "stop"), true)).toBe("right-1");
});

test("a field of another form is named", () => {
  expect(readCompletion(choice(42))).toMatchObject({ fault: expect.stringContaining("choices.0.message.content: ") });
});
