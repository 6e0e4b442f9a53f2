// Work on the device, item by item.

/** Results in order. An item is recorded while the device is at work on the one before. */
export async function pipelined<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const made: R[] = [];
  let before: Promise<R> | undefined;
  for (const item of items) {
    const current = work(item);
    current.catch(() => {}); // it is awaited below, unless the one before fails
    if (before) made.push(await before);
    before = current;
  }
  if (before) made.push(await before);
  return made;
}
