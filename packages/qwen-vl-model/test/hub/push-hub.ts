// A hub that takes pushes, as its documented API does: repos/create, preupload, the LFS batch API with storage elsewhere, commit.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface PushHubOptions {
  /** The repository is there. */
  readonly exists?: boolean;
  readonly storageStatus?: number;
}

export async function startHub({ exists = false, storageStatus = 200 }: PushHubOptions = {}) {
  const stored = new Map<string, Buffer>();
  const files = new Map<string, Buffer>();
  const seen: string[] = [];
  const created: object[] = [];
  const storage = createServer(async (request, response) => {
    seen.push(`${request.method} storage ${request.headers.authorization ?? "no token"}`);
    if (storageStatus === 200) stored.set(request.url?.slice(1) ?? "", await bodyOf(request));
    response.writeHead(storageStatus).end();
  });
  const storageUrl = await listen(storage);
  const api = createServer(async (request, response) => {
    const path = request.url ?? "";
    const body = await bodyOf(request);
    seen.push(`${request.method} ${path.split("?")[0]}`);
    const answer = (status: number, value: unknown) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    if (request.headers.authorization !== "Bearer secret") return answer(401, { error: "no" });
    if (path === "/api/repos/create") {
      created.push(JSON.parse(body.toString()));
      return exists ? answer(409, { error: "exists" }) : answer(200, { url: "x", id: "owner/model" });
    }
    if (path.startsWith("/api/models/owner/model/preupload/main")) {
      const asked = JSON.parse(body.toString()).files as { path: string; size: number }[];
      return answer(200, {
        files: asked.map((file) => ({
          ...file,
          uploadMode: file.size > 1000 ? "lfs" : "regular",
          shouldIgnore: false,
        })),
      });
    }
    if (path === "/owner/model.git/info/lfs/objects/batch") {
      const objects = JSON.parse(body.toString()).objects as { oid: string; size: number }[];
      return answer(200, {
        transfer: "basic",
        objects: objects.map(({ oid, size }) => ({ oid, size, actions: { upload: { href: `${storageUrl}/${oid}` } } })),
      });
    }
    if (path.startsWith("/api/models/owner/model/commit/main")) {
      for (const line of body.toString().trim().split("\n")) {
        const { key, value } = JSON.parse(line);
        if (key === "file") files.set(value.path, Buffer.from(value.content, value.encoding));
        if (key === "lfsFile") {
          const content = stored.get(value.oid);
          if (!content || createHash("sha256").update(content).digest("hex") !== value.oid)
            return answer(400, { error: "not stored" });
          files.set(value.path, content);
        }
      }
      return answer(200, { success: true, commitOid: "c".repeat(40), commitUrl: "x", hookOutput: "" });
    }
    answer(404, { error: path });
  });
  return { url: await listen(api), files, seen, created };
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
