// Projections that read the same rows: their matrices lie side by side, so that they are taken as one.

const SIBLINGS = [
  ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  ["mlp.gate_proj", "mlp.up_proj"],
] as const;

/** `names` in groups, each in the order in which its members lie: those of siblings, of all that are given, and the rest alone. */
export function siblingGroups(names: Iterable<string>): string[][] {
  const left = new Set(names);
  const groups: string[][] = [];
  for (const name of left) {
    const all = siblingsOf(name);
    const group = all.every((sibling) => left.has(sibling)) ? all : [name];
    for (const member of group) left.delete(member);
    groups.push(group);
  }
  return groups;
}

/** A tensor's name with those of its siblings. */
function siblingsOf(name: string): string[] {
  const [, layer, rest] = /^((?:model\.layers|visual\.blocks)\.\d+\.)(.*)$/.exec(name) ?? [];
  for (const parts of SIBLINGS) {
    const own = parts.find((part) => rest?.startsWith(part));
    if (own && rest) return parts.map((part) => `${layer}${part}${rest.slice(own.length)}`);
  }
  return [name];
}
