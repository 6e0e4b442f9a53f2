// What each exit code says; `iapo --help` lists them.
export const ExitCode = { done: 0, failed: 1, usage: 2, noAdapter: 3, busy: 4, interrupted: 130 } as const;
