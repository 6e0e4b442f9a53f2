// Lines about work that goes on item by item: how far, how fast, how long still. Not more often than every few seconds.
import { formatDuration } from "@iapo/run-report";

export interface Pace {
  /** So many items are done; `isNew` where the last one was done just now. */
  done(count: number, isNew: boolean): void;
}

const EVERY = 5000;

export function createPace(note: (text: string) => void, total: number, items: string): Pace {
  const began = performance.now();
  let made = 0;
  let noted = Number.NEGATIVE_INFINITY;
  return {
    done(count, isNew) {
      if (!isNew) return;
      made++;
      const now = performance.now();
      if (count < total && now - noted < EVERY) return;
      noted = now;
      const seconds = (now - began) / 1000 / made;
      const left = count < total ? `, ETA ${formatDuration(seconds * (total - count))}` : "";
      note(`${count} of ${total} ${items}, ${seconds.toFixed(1)} s each${left}`);
    },
  };
}
