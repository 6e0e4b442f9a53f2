// Keys and values that had another name before: they are refused, with the name that they have now.

/** A key, or where `value` is given one of its values. */
export interface Renamed {
  /** Dotted, as it was. */
  readonly key: string;
  readonly value?: string;
  /** The key's dotted path now, or the value's name now. */
  readonly now: string;
}

export function renamedKey(renamed: readonly Renamed[], path: string): string | undefined {
  return renamed.find(({ key, value }) => value === undefined && key === path)?.now;
}

export function renamedValue(renamed: readonly Renamed[], path: string, given: string): string | undefined {
  return renamed.find(({ key, value }) => key === path && value === given)?.now;
}
