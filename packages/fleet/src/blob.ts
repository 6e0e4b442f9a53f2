// Blobs are named by their content.
import { createHash } from "node:crypto";
import { FleetError } from "./error.ts";

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** @throws FleetError `missing` */
export function foundBlob(hash: string, bytes: Uint8Array | undefined): Uint8Array {
  if (bytes) return bytes;
  throw new FleetError("missing", `there is no blob ${hash}: its step may be over`);
}

/** @throws FleetError `invalid` for bytes of another name, `missing` for none */
export function verifiedBlob(hash: string, bytes: Uint8Array | undefined): Uint8Array {
  const found = foundBlob(hash, bytes);
  if (hashOf(found) === hash) return found;
  throw new FleetError("invalid", `the blob ${hash} holds other bytes than its name says`);
}
