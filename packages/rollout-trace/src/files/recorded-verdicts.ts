// Verdicts of a model that no seed governs: recorded before they are used, asked for once, read back instead of asked again.
export interface RecordedVerdicts<Question, Reply, Verdict extends { readonly key: string }> {
  /** The same for equal questions: they have one verdict for a whole run. */
  readonly key: (question: Question) => string;
  /** Asks once. What it throws is thrown. */
  readonly ask: (question: Question) => Promise<Reply>;
  /** Undefined where the reply is no verdict: it is asked again. */
  readonly read: (reply: Reply, key: string) => Verdict | undefined;
  /** How often it is asked at most. */
  readonly attempts: number;
  /** The error where the last reply was no verdict either. */
  readonly unclear: (last: Reply) => Error;
  /** Of a run that goes on. */
  readonly recorded?: Iterable<Verdict> | undefined;
  /** Returns once the verdict is kept. */
  readonly record?: ((verdict: Verdict) => void | Promise<void>) | undefined;
}

/** Calls with equal keys share one request; after an error the next call asks again. */
export function recordedVerdicts<Question, Reply, Verdict extends { readonly key: string }>(
  options: RecordedVerdicts<Question, Reply, Verdict>,
): (question: Question) => Promise<Verdict> {
  const verdicts = new Map<string, Promise<Verdict>>();
  for (const verdict of options.recorded ?? []) verdicts.set(verdict.key, Promise.resolve(verdict));
  return (question) => {
    const key = options.key(question);
    const known = verdicts.get(key);
    if (known) return known;
    const asked = askUntilClear(options, question, key);
    verdicts.set(key, asked);
    asked.catch(() => verdicts.delete(key));
    return asked;
  };
}

async function askUntilClear<Question, Reply, Verdict extends { readonly key: string }>(
  { ask, read, attempts, unclear, record }: RecordedVerdicts<Question, Reply, Verdict>,
  question: Question,
  key: string,
): Promise<Verdict> {
  for (let attempt = 1; ; attempt++) {
    const reply = await ask(question);
    const verdict = read(reply, key);
    if (verdict) {
      await record?.(verdict);
      return verdict;
    }
    if (attempt >= attempts) throw unclear(reply);
  }
}
