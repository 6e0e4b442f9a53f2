// The model that the student is to agree with on what a call rests on (docs/method.md F12).
import type { Policy, Scribe } from "@iapo/rollout-trace";
import { IapoError } from "../error.ts";
import type { AttributionModel, Call } from "../scoring/model.ts";

/** Frozen. Its hidden size and depth are its own: only masses of prompt blocks are compared. */
export interface Teacher {
  readonly model: AttributionModel;
  /** For `teacher_call`: what writes the teacher's calls, and a name of all that decides them and their scores, such as its files' SHA-256. */
  readonly writer?: TeacherWriter | undefined;
  /**
   * For a teacher that takes turns with the student: readies model and writer, awaits `work`, and frees what it readied, whether or not
   * `work` succeeds. All passes of a step go through one call; none is made where nothing is to be scored. Absent: always ready.
   */
  readonly use?: (<T>(work: () => Promise<T>) => Promise<T>) | undefined;
}

/** A teacher that can write, or a student that is looked at as teachers are. */
export type WritingTeacher = Teacher & { readonly writer: TeacherWriter };

export interface TeacherWriter {
  readonly id: string;
  readonly policy: Policy & Scribe;
}

/** Work that runs the teacher's model or its writer. */
export function withTeacher<T>({ use }: Pick<Teacher, "use">, work: () => Promise<T>): Promise<T> {
  return use ? use(work) : work();
}

/** Sees that both models read the same text in a call's ids. @throws IapoError `teacher` where they do not */
export class TokenizerCheck {
  readonly #student: AttributionModel;
  readonly #teacher: AttributionModel;
  readonly #equal = new Set<number>();

  constructor(student: AttributionModel, teacher: AttributionModel) {
    this.#student = student;
    this.#teacher = teacher;
  }

  check({ turn }: Call): void {
    for (const id of turn.tokens) {
      if (this.#equal.has(id)) continue;
      const [own, other] = [this.#student.tokenBytes(id), this.#teacher.tokenBytes(id)];
      if (own.length !== other.length || own.some((byte, i) => byte !== other[i])) {
        const texts = [own, other].map((bytes) => JSON.stringify(new TextDecoder().decode(bytes)));
        throw new IapoError(
          "teacher",
          `token ${id} is ${texts[0]} to the student and ${texts[1]} to the teacher: a teacher with another tokenizer cannot explain the student's calls; set teacherTarget to teacher_call`,
        );
      }
      this.#equal.add(id);
    }
  }
}
