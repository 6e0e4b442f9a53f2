// How far two distributions over the same blocks lie apart (docs/method.md F8).
import { at } from "../checked.ts";
import { AttributionError } from "../error.ts";
import type { Numbers } from "./token-scores.ts";

/**
 * With p the student's (actor's) and q the teacher's: `kl_student_teacher` sum p ln(p / q), `kl_teacher_student` sum q ln(q / p); `js`
 * the mean of both to their midpoint, at most ln 2; `tv` half the sum of |p - q|; `l2` the Euclidean distance.
 */
export type Divergence = "kl_student_teacher" | "kl_teacher_student" | "js" | "tv" | "l2";

/**
 * In nats for KL and JS; 0 where both are equal. Infinite for a KL whose second distribution is 0 where the first is not.
 * @throws AttributionError `shape` for distributions of different lengths, `argument` for an unknown divergence
 */
export function divergence(kind: Divergence, student: Numbers, teacher: Numbers): number {
  if (student.length !== teacher.length) {
    throw new AttributionError("shape", `${student.length} blocks cannot be compared with ${teacher.length}`);
  }
  switch (kind) {
    case "kl_student_teacher":
      return kl(student, teacher);
    case "kl_teacher_student":
      return kl(teacher, student);
    case "js": {
      const middle = Float64Array.from(student, (p, k) => (p + at(teacher, k)) / 2);
      return (kl(student, middle) + kl(teacher, middle)) / 2;
    }
    case "tv":
      return differences(student, teacher).reduce((sum, d) => sum + Math.abs(d), 0) / 2;
    case "l2":
      return Math.hypot(...differences(student, teacher));
    default:
      throw new AttributionError("argument", `no divergence is called ${String(kind)}`);
  }
}

function kl(p: Numbers, q: Numbers): number {
  let total = 0;
  for (const [k, share] of Array.from(p).entries()) if (share > 0) total += share * Math.log(share / at(q, k));
  return Math.max(0, total);
}

function differences(p: Numbers, q: Numbers): Float64Array {
  return Float64Array.from(p, (value, k) => value - at(q, k));
}
