// Errors that are an abort.
/** Whether an error says no more than that the signal was aborted, also where a package has put it into an error of its own. */
export function isInterrupt(error: unknown, { aborted, reason }: AbortSignal): boolean {
  if (!aborted) return false;
  for (let found = error; found instanceof Error; found = found.cause)
    if (found === reason || found.name === "AbortError") return true;
  return false;
}
