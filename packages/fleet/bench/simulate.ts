// A step of a run on workers, on paper: units are handed to whoever is free, and all that travels goes through the learner's one link, each way by itself.

export interface StepPlan {
  readonly groups: number;
  /** Seconds of one group: what is generated, explained, and computed for the update. */
  readonly rollout: number;
  readonly explain: number;
  readonly gradient: number;
  /** Seconds of the learner by itself: optimizer, step's file. */
  readonly update: number;
  /** Bytes of a version of the policy, of a group's traces, of a gradient. */
  readonly version: number;
  readonly traces: number;
  readonly gradientBytes: number;
}

export interface Fleet {
  readonly workers: number;
  /** Bytes a second, of each way of a link. */
  readonly bandwidth: number;
  /** Gradients to the learner, of the first worker's share as one sum and of others one by one; or added by pairs of workers, group beside group, of which the last sum alone comes to the learner. */
  readonly reduction: "learner" | "tree";
}

export interface Simulated {
  readonly seconds: number;
  /** Shares of the step in which the learner's link was in use (the busier way), and in which workers computed, on the mean. */
  readonly link: number;
  readonly computing: number;
}

interface PerGroup {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  /** What comes back of a unit is as large for many groups as for one. */
  readonly isSum?: true;
}

export function simulateStep(plan: StepPlan, { workers, bandwidth, reduction }: Fleet): Simulated {
  const { groups, version, traces, gradientBytes } = plan;
  const free = new Array<number>(workers).fill(0);
  const out = new Line(bandwidth);
  const back = new Line(bandwidth);
  let computed = 0;
  /** Units of so many groups each, for whoever is free first; when all results are there, which come back as they are done. */
  const units = (from: number, sizes: readonly number[], one: PerGroup): number => {
    const done = sizes.map((size) => {
      const worker = free.indexOf(Math.min(...free));
      const begun = Math.max(out.send(from, size * one.sent), free[worker] ?? 0);
      const end = begun + size * one.seconds;
      free[worker] = end;
      computed += size * one.seconds;
      return { end, bytes: one.isSum ? one.received : size * one.received };
    });
    return Math.max(...done.sort((a, b) => a.end - b.end).map(({ end, bytes }) => back.send(end, bytes)));
  };
  /** Groups in as many parts as there are workers for them. */
  const count = Math.min(workers, groups);
  const at = (part: number): number => Math.floor((part * groups) / count);
  const parts = Array.from({ length: count }, (_, part) => at(part + 1) - at(part));
  let announced = 0;
  for (let i = 0; i < count; i++) announced = out.send(0, version);
  let now = units(announced, parts, { seconds: plan.rollout, sent: 0, received: traces });
  if (plan.explain > 0) now = units(now, parts, { seconds: plan.explain, sent: traces, received: 0 });
  const isTree = reduction === "tree";
  const first = isTree ? 1 : (parts[0] ?? 0);
  const pieces = [first, ...new Array<number>(groups - first).fill(1)];
  const received = isTree ? 0 : gradientBytes;
  now = units(now, pieces, { seconds: plan.gradient, sent: traces, received, isSum: true });
  // Sums on the way to the learner go from link to link of workers, as many at once as there are pairs.
  if (isTree) now = back.send(now + (Math.ceil(Math.log2(count)) * gradientBytes) / bandwidth, gradientBytes);
  const seconds = now + plan.update;
  return {
    seconds,
    link: Math.max(out.busy, back.busy) / seconds,
    computing: computed / (workers * seconds),
  };
}

/** One way of a link: what is sent waits for what was sent before. */
class Line {
  busy = 0;
  readonly #bandwidth: number;
  #free = 0;

  constructor(bandwidth: number) {
    this.#bandwidth = bandwidth;
  }

  /** When it has arrived. */
  send(from: number, bytes: number): number {
    const seconds = bytes / this.#bandwidth;
    this.busy += seconds;
    this.#free = Math.max(this.#free, from) + seconds;
    return bytes === 0 ? from : this.#free;
  }
}
