// An environment without pictures: which of two numbers is the larger? A module exports a function of `environment.options`.
import type { EnvironmentModule } from "@iapo/jobs";
import { z } from "zod";

const contentSchema = z.strictObject({ left: z.int(), right: z.int() });
type Numbers = z.infer<typeof contentSchema>;

const larger: EnvironmentModule<Numbers> = ({ below }) => {
  const most = Number(below);
  const source = (split: string) => ({
    length: most * (most - 1),
    task(index: number) {
      const left = Math.floor(index / (most - 1));
      const right = index % (most - 1);
      const content = { left, right: right < left ? right : right + 1 };
      return { id: `larger-${split}-${index}`, source: "larger", split, content };
    },
  });
  return {
    environment: {
      contentSchema,
      maxTurns: 1,
      prompt: ({ content: { left, right } }) => [
        { id: "query", kind: "query", text: `Which is the larger one, ${left} or ${right}?\n` },
      ],
      step: async ({ content: { left, right } }, { text }) => {
        const answer = Number(/\d+/.exec(text)?.[0]);
        return {
          done: { rewards: { outcome: answer === Math.max(left, right) ? 1 : 0, is_number: Number(answer >= 0) } },
        };
      },
    },
    tasks: source("train"),
    validation: source("validation"),
  };
};
export default larger;
