// What an episode is about.
import { z } from "zod";
import { plainData } from "./content.ts";

/** `Content` is the environment's own: all that it needs to open an episode, to step through it and to reward it. */
export type Task<Content = unknown> = {
  /** Unique within its source and split. */
  readonly id: string;
  /** Data set it comes from, such as `chartqa_v_bar`. */
  readonly source: string;
  readonly split: string;
  readonly content: Content;
};

/** As JSON, whatever the content; an environment's `contentSchema` knows more. */
export const taskSchema: z.ZodType<Task> = z.strictObject({
  id: z.string().min(1),
  source: z.string(),
  split: z.string(),
  content: z
    .unknown()
    .refine((content) => plainData(content) === undefined, { error: ({ input }) => plainData(input) }),
});
