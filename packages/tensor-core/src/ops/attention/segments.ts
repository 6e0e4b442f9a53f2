// Segments on a device: the plan and its uploaded table, shared by all layers of a forward and its backward pass.
import type { Device } from "../../device/device.ts";
import type { Tensor } from "../../tensor.ts";
import { planSegments, type Segment, type SegmentPlan } from "./plan.ts";

export class Segments {
  /** For the kernels. */
  readonly plan: SegmentPlan;
  /** For the kernels: the plan's words. A tape that needs it keeps its own handle. */
  readonly table: Tensor;

  private constructor(plan: SegmentPlan, table: Tensor) {
    this.plan = plan;
    this.table = table;
  }

  /**
   * Segments for `attention`, in ascending order of their query rows. Throws `argument` where the query ranges leave a gap or
   * overlap, or a number is not a row number.
   */
  static of(device: Device, segments: readonly Segment[]): Segments {
    const plan = planSegments(segments.map((segment) => ({ ...segment })));
    return new Segments(plan, device.tensor(plan.words, [plan.words.length], "u32"));
  }

  /** Segments whose table, the words of `plan`, is on the device already. */
  static over(plan: SegmentPlan, table: Tensor): Segments {
    return new Segments(plan, table);
  }

  /** What a scope keeps when it returns segments. */
  keepAlive(): Tensor[] {
    return [this.table];
  }

  dispose(): void {
    this.table.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
