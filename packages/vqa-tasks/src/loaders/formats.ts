// The data formats by name. Their parsers are imported only where data is loaded.
export const dataFormats = [
  "tasks",
  "refocus",
  "vtool_v1",
  "vtool_v2",
  "tablevqabench",
  "chartqa",
  "charxiv",
  "tabfact",
  "wikitablequestions",
] as const;

export type DataFormat = (typeof dataFormats)[number];
