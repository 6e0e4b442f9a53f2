// The tool language: the small part of Python that programs may use. `at` is an offset into the program.
import type { Scalar } from "../tool.ts";

export type Expression =
  | { readonly kind: "scalar"; readonly at: number; readonly value: Scalar }
  | { readonly kind: "name"; readonly at: number; readonly name: string }
  | { readonly kind: "list"; readonly at: number; readonly items: readonly Expression[] }
  | {
      readonly kind: "dict";
      readonly at: number;
      readonly entries: readonly { readonly key: Expression; readonly value: Expression }[];
    }
  | Call;

export interface Call {
  readonly kind: "call";
  readonly at: number;
  readonly callee: string;
  readonly positional: readonly Expression[];
  readonly keywords: readonly { readonly name: string; readonly at: number; readonly value: Expression }[];
}

export type Statement =
  | { readonly kind: "assign"; readonly at: number; readonly targets: readonly string[]; readonly value: Expression }
  | { readonly kind: "expression"; readonly at: number; readonly value: Expression }
  | {
      readonly kind: "for";
      readonly at: number;
      readonly target: string;
      readonly iterable: Expression;
      readonly body: readonly Statement[];
    };

export type Program = readonly Statement[];
