// A page as another parser sees it.
import { createHash } from "node:crypto";
import { type DefaultTreeAdapterTypes, parse } from "parse5";

type Node = DefaultTreeAdapterTypes.Node;
export type Element = DefaultTreeAdapterTypes.Element;

export interface Parsed {
  /** Codes of the HTML standard's parse errors. */
  readonly errors: readonly string[];
  readonly elements: readonly Element[];
}

export function parseDocument(text: string): Parsed {
  const errors: string[] = [];
  const root = parse(text, { onParseError: ({ code }) => errors.push(code) });
  return { errors, elements: elementsBelow(root) };
}

export function elementsBelow(node: Node): Element[] {
  if (!("childNodes" in node)) return [];
  return node.childNodes.flatMap((child) => [...("tagName" in child ? [child] : []), ...elementsBelow(child)]);
}

export function textOf(node: Node): string {
  if ("value" in node) return node.value;
  return "childNodes" in node ? node.childNodes.map(textOf).join("") : "";
}

export function attribute({ attrs }: Element, name: string): string | undefined {
  return attrs.find((one) => one.name === name)?.value;
}

/** Everything through which a page could run, load or send something that is not its own. */
export function dangers({ elements }: Parsed): string[] {
  const found: string[] = [];
  const policy = elements.find((one) => attribute(one, "http-equiv") === "Content-Security-Policy");
  const allowed = policy ? (attribute(policy, "content") ?? "") : "";
  if (!allowed.startsWith("default-src 'none'; img-src data:; ")) found.push(`policy ${allowed}`);
  if (/unsafe|https?:|\*/.test(allowed)) found.push(`policy ${allowed}`);
  for (const element of elements) {
    const { tagName, attrs } = element;
    if (
      ["iframe", "object", "embed", "form", "link", "base", "foreignobject", "foreignObject", "use"].includes(tagName)
    )
      found.push(`<${tagName}>`);
    if (tagName === "script" || tagName === "style") {
      const hash = createHash("sha256").update(textOf(element)).digest("base64");
      if (!allowed.includes(`${tagName}-src 'sha256-${hash}'`)) found.push(`<${tagName}> that is not the page's own`);
    }
    for (const { name, value } of attrs) {
      if (name.startsWith("on") || name === "style" || name === "srcdoc") found.push(`${tagName} ${name}`);
      const loads = name === "src" || name === "href" || name.endsWith(":href");
      if (loads && !/^(?:#[\w-]+|data:image\/png;base64,[\w+/=]*)$/.test(value))
        found.push(`${tagName} ${name}=${value}`);
    }
  }
  return found;
}
