/**
 * Answers of chat endpoints: odd ones, and those of known kinds, whose outcome is known. Prints a report as JSON, and throws on a finding. Run as
 * `pnpm fuzz chat`.
 */
import fc from "fast-check";
import { readCompletion } from "../src/scoring/completion.ts";
import { lastWord, readVerdict } from "../src/scoring/judge-verdict.ts";
import { character } from "./values.ts";

const runs = Number(process.argv[2] ?? process.env.IAPO_FUZZ_RUNS ?? 10_000);
const seed = Number(process.argv[3] ?? process.env.IAPO_FUZZ_SEED ?? Date.now() % 1e9);
const start = performance.now();
const counts: Record<string, number> = { reply: 0, repeated: 0, refused: 0, fault: 0 };

const text = fc.string({ unit: character, maxLength: 40 });
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, "", 0, [], {}, true),
  text,
  fc.jsonValue({ maxDepth: 4 }),
);
const content = fc.oneof(
  { weight: 3, arbitrary: text },
  fc.array(
    fc.record(
      {
        type: fc.constantFrom("text", "output_text", "image_url", "refusal", "thinking"),
        text: fc.oneof(text, fc.constant(null), fc.record({ value: text })),
        refusal: text,
      },
      { requiredKeys: ["type", "text"] },
    ),
    { maxLength: 3 },
  ),
  { weight: 2, arbitrary: fc.constantFrom(null, "", "<think>so far", "so</think>\n") },
  odd,
);
const seldom = fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, odd);
const message = fc.record({ content, refusal: seldom, reasoning_content: seldom, thinking: seldom });
/** Ends of replies as different makers name them. */
const ends = [
  "stop",
  "stop",
  "end_turn",
  "length",
  "MAX_TOKENS",
  "error",
  "abort",
  "content_filter",
  "SAFETY",
  "tool_calls",
];
const choice = fc.record({
  message: fc.oneof({ weight: 6, arbitrary: message }, odd),
  finish_reason: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...ends) }, seldom),
  error: seldom,
});
const answer = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      choices: fc.oneof({ weight: 9, arbitrary: fc.array(choice, { maxLength: 2 }) }, odd),
      error: fc.oneof(
        { weight: 5, arbitrary: seldom },
        fc.record({ code: fc.oneof(fc.nat(600), text), message: text }),
      ),
    }),
  },
  odd,
);

fc.assert(
  fc.property(answer, (value) => {
    const outcome = readCompletion(value);
    if ("value" in outcome) {
      if (typeof outcome.value !== "string") throw new Error("a reply that is no text");
      const { error, choices } = value as {
        error?: unknown;
        choices: [{ finish_reason?: unknown; message: { refusal?: unknown } }];
      };
      const [{ finish_reason: reason, message }] = choices;
      if (error || ["content_filter", "SAFETY", "error", "abort"].includes(String(reason)) || message.refusal)
        throw new Error(`a reply out of ${JSON.stringify(value)}`);
      counts.reply = (counts.reply ?? 0) + 1;
    } else {
      if (outcome.fault === "" || outcome.fault.length > 600)
        throw new Error(`a fault of ${outcome.fault.length} characters`);
      const kind = outcome.repeat ? "repeated" : outcome.refused ? "refused" : "fault";
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
  }),
  { numRuns: runs, seed },
);

/** A sound reply is read whatever its text, and a judge's word whatever stands around it. */
fc.assert(
  fc.property(
    fc.string({ unit: character, minLength: 1, maxLength: 200 }),
    fc.boolean(),
    fc.constantFrom(".", "**", '"', "`", "\n", " ok", ""),
    (said, isRight, mark) => {
      const outcome = readCompletion({ choices: [{ message: { content: said }, finish_reason: "stop" }] });
      if (!("value" in outcome) || outcome.value !== said) throw new Error(`not read: ${JSON.stringify(said)}`);
      const words = { yes: "right-0123abcd", no: "wrong-0123abcd" };
      const word = isRight ? words.yes : words.no;
      const before = said.replaceAll("<think>", "");
      const reply = `<think>${words.yes} ${words.no}</think>${before}\n${mark}${word.toUpperCase()}${mark}`;
      if (readVerdict(reply, "nonce", words) !== isRight) throw new Error(`no verdict in ${JSON.stringify(reply)}`);
      if (lastWord(said, [words.yes, words.no]) !== undefined) throw new Error(`a verdict in ${JSON.stringify(said)}`);
    },
  ),
  { numRuns: runs, seed },
);
for (const [kind, count] of Object.entries(counts))
  if (count < runs / 200) throw new Error(`only ${count} of kind ${kind}: the fuzz proves nothing`);
console.log(
  JSON.stringify({
    runs,
    seed,
    counts,
    rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
    seconds: Math.round((performance.now() - start) / 1000),
  }),
);
