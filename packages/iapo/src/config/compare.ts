// What a comparison asks of the teacher.
import type { CompareSettings } from "./types.ts";

/** Whether the teacher writes calls of its own. */
export function writesCalls(settings: CompareSettings): boolean {
  return settings.compare === "student_with_teacher"
    ? settings.teacherTarget === "teacher_call"
    : settings.compare === "teacher_with_own_call";
}

/** Such as `student_with_teacher, teacher_call`. */
export function compareLabel(settings: CompareSettings): string {
  return settings.compare === "student_with_teacher"
    ? `${settings.compare}, ${settings.teacherTarget}`
    : settings.compare;
}
