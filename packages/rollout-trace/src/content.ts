// A task's content in memory and in files: plain data in which an image is its pixels there, its reference here.
import { TraceError } from "./error.ts";
import { type Image, type ImageRef, imageRef, imageRefSchema } from "./image.ts";

/** Deeper than contents are, and far from where recursion ends. */
const DEEPEST = 64;

/** The content with each image as its reference. @throws TraceError `invalid` for what is no plain data */
export function storedContent(content: unknown): unknown {
  const stored = mapContent(content, (value) => (isImage(value) ? imageRef(value) : undefined));
  const fault = plainData(stored);
  if (fault !== undefined) throw new TraceError("invalid", `a task's content cannot be stored: ${fault}`);
  return stored;
}

/**
 * The content with each reference as its image, as an environment takes it.
 * @param imageOf gives the pixels of a reference; what it throws is passed on
 */
export async function contentWithImages(
  content: unknown,
  imageOf: (reference: ImageRef) => Promise<Image>,
): Promise<unknown> {
  const references = new Map<string, ImageRef>();
  mapContent(content, (value) => {
    if (isReference(value)) references.set(value.id, value);
    return undefined;
  });
  const images = new Map<string, Image>();
  for (const [id, reference] of references) images.set(id, await imageOf(reference));
  return mapContent(content, (value) => (isReference(value) ? images.get(value.id) : undefined));
}

/** The images that a content in memory holds. */
export function imagesOfContent(content: unknown): Image[] {
  const images: Image[] = [];
  mapContent(content, (value) => {
    if (isImage(value)) images.push(value);
    return undefined;
  });
  return images;
}

/** Why a value would not come back from JSON as it is, with its place; undefined where it would. */
export function plainData(value: unknown, path = "content", depth = 0): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (typeof value !== "object") return `${path} is ${typeof value}`;
  if (depth > DEEPEST) return `${path} lies more than ${DEEPEST} levels deep`;
  if (!Array.isArray(value) && !isRecord(value)) return `${path} is a ${value.constructor?.name ?? "class instance"}`;
  for (const [key, inner] of Object.entries(value)) {
    const fault = plainData(inner, `${path}.${key}`, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** A copy in which `change` has replaced what it gives a value for, and keys without a value are left out, as in JSON. */
function mapContent(value: unknown, change: (value: object) => object | undefined, depth = 0): unknown {
  if (typeof value !== "object" || value === null || depth > DEEPEST) return value;
  const changed = change(value);
  if (changed !== undefined) return changed;
  if (Array.isArray(value)) return value.map((inner: unknown) => mapContent(inner, change, depth + 1));
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(kept.map(([key, inner]) => [key, mapContent(inner, change, depth + 1)]));
}

function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isImage(value: object): value is Image {
  return "data" in value && value.data instanceof Uint8Array && isReference({ ...value, data: undefined });
}

function isReference(value: object): value is ImageRef {
  const { data, ...rest } = value as { data?: unknown };
  return data === undefined && "id" in rest && imageRefSchema.safeParse(rest).success;
}
