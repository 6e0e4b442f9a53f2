// What a worker asks its learner while it does a unit, such as a judge's verdict: the learner alone asks and keeps the record, so that a unit which is
// done twice hears the same.
import { z } from "zod";
import { FleetError } from "./error.ts";
import { decodeMessage, encodeMessage } from "./messages.ts";
import type { Transport } from "./transport.ts";

type Plain = z.infer<ReturnType<typeof z.json>>;

/** Under `question.<session>.<worker>.<number>`. */
const questionSchema = z.strictObject({ question: z.json() });
/** Under `answer.<session>.<worker>.<number>`. */
const answerSchema = z.strictObject({ answer: z.json(), error: z.string().max(4000).nullable() });

/** The learner's answer to what a worker asks; the same for equal questions. @throws for what it cannot answer */
export type Answerer = (question: unknown) => Promise<Plain>;

/** The learner's side. Returns what ends it. */
export function answerQuestions(
  transport: Transport,
  session: string,
  answer: Answerer,
  tell: (text: string) => void,
): Promise<() => void> {
  return transport.watch(`question.${session}.`, async (key, value) => {
    if (!value) return;
    try {
      await transport.unset(key);
      const { question } = decodeMessage(questionSchema, value, `the question ${key}`);
      const told = await answer(question).then(
        (given) => ({ answer: given, error: null }),
        (error: Error) => ({ answer: null, error: error.message.slice(0, 4000) }),
      );
      await transport.set(key.replace("question.", "answer."), encodeMessage(answerSchema, told));
    } catch (error) {
      tell((error as Error).message);
    }
  });
}

/** A worker's side, for the time of one session of the learner. */
export class Asking {
  readonly #transport: Transport;
  readonly #place: string;
  readonly #waiting = new Map<string, PromiseWithResolvers<unknown>>();
  #asked = 0;
  #end: () => void = () => {};

  static async open(transport: Transport, session: string, worker: string): Promise<Asking> {
    const asking = new Asking(transport, `${session}.${worker}`);
    asking.#end = await transport.watch(`answer.${asking.#place}.`, (key, value) => value && asking.#hear(key, value));
    return asking;
  }

  private constructor(transport: Transport, place: string) {
    this.#transport = transport;
    this.#place = place;
  }

  /** @throws FleetError `refused` with what stood against an answer, `lost`; the signal's reason */
  async ask(question: unknown, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    const name = `${this.#place}.${this.#asked++}`;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(`answer.${name}`, waiting);
    const abort = (): void => waiting.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      const message = encodeMessage(questionSchema, questionSchema.parse({ question }));
      await this.#transport.set(`question.${name}`, message);
      return await waiting.promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#waiting.delete(`answer.${name}`);
    }
  }

  close(): void {
    this.#end();
  }

  #hear(key: string, value: Uint8Array): void {
    this.#transport.unset(key).catch(() => {}); // it is of no use to anybody else
    const waiting = this.#waiting.get(key);
    try {
      const { answer, error } = decodeMessage(answerSchema, value, `the answer ${key}`);
      if (error === null) waiting?.resolve(answer);
      else waiting?.reject(new FleetError("refused", error));
    } catch (error) {
      waiting?.reject(error as Error);
    }
  }
}
