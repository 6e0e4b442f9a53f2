// Changes of runs as server-sent events.
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { Library } from "../runs/library.ts";

/** A connection that says nothing is closed by what lies between. */
const beatMilliseconds = 15_000;

export function events(context: Context, library: Library): Response {
  return streamSSE(context, async (stream) => {
    let wake = (): void => {};
    const waiting: string[] = [];
    const end = library.listen((change) => {
      waiting.push(JSON.stringify(change));
      if (waiting.length > 100) waiting.shift(); // a page that does not read looks again all the same
      wake();
    });
    stream.onAbort(() => {
      end();
      wake();
    });
    await stream.writeSSE({ event: "open", data: "" });
    while (!stream.aborted) {
      const data = waiting.shift();
      if (data !== undefined) await stream.writeSSE({ event: "change", data });
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const beat = setTimeout(resolve, beatMilliseconds);
        await promise;
        clearTimeout(beat);
        if (waiting.length === 0 && !stream.aborted) await stream.writeSSE({ event: "beat", data: "" });
      }
    }
    end();
  });
}
