// The browser's counterpart of host.node.ts.

/** The page's GPU object. */
export function systemGpu(): GPU | undefined {
  return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
}

/** A browser does not poll: nothing to soften. */
export function politely<T>(promise: Promise<T>): Promise<T> {
  return promise;
}

/** A page cannot ask. */
export function freeMemory(): number {
  return Number.POSITIVE_INFINITY;
}
