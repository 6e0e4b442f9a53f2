/** A local HTTP server that answers as the hub's documented API does: model info, tree, resolve with a redirect to storage, ETag, ranges. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubFile {
  readonly content: Buffer;
  /** Large files are listed by SHA-256 and served from storage after a redirect; small ones by git's SHA-1 and served at once. */
  readonly large: boolean;
}

/** What goes wrong, asked before each answer with content. `cut` ends the body after so many bytes. */
export type Fault =
  | { readonly cut: number }
  | { readonly status: number; readonly retryAfter?: string }
  | { readonly replace: Buffer }
  | undefined;

const API = "/api/models/test-owner/test-model";

export class HubServer implements AsyncDisposable {
  url = "";
  /** Storage has an origin of its own, as the real one has. */
  storageUrl = "";
  commit: string = "a".repeat(40);
  /** Where set, the API wants it; storage never does. */
  token: string | undefined;
  /** Where set, all that it answers. */
  page: string | undefined;
  /** Whether its listing has no end. */
  listsOn = false;
  readonly files: Map<string, HubFile> = new Map();
  readonly requests: { path: string; range: string | undefined; authorization: string | undefined }[] = [];
  fault: (file: string) => Fault = () => undefined;
  readonly #api = createServer((request, response) => this.#answer(request, response));
  readonly #storage = createServer((request, response) => {
    const { pathname } = this.#note(request);
    this.#sendContent(pathname.slice(1), request, response);
  });

  static async start(): Promise<HubServer> {
    const hub = new HubServer();
    hub.url = await listen(hub.#api);
    hub.storageUrl = await listen(hub.#storage);
    return hub;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#api, this.#storage]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  hashOf({ content, large }: HubFile): string {
    if (large) return createHash("sha256").update(content).digest("hex");
    return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
  }

  /** Ranges asked of one file, in order, without the probes of one byte. */
  ranges(file: string): (string | undefined)[] {
    return this.requests
      .filter(({ path, range }) => path.endsWith(`/${file}`) && range !== "bytes=0-0")
      .map(({ range }) => range);
  }

  #note(request: IncomingMessage): URL {
    const url = new URL(request.url ?? "/", this.url);
    const { range, authorization } = request.headers;
    this.requests.push({ path: url.pathname, range, authorization });
    return url;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = this.#note(request);
    const resolve = `/test-owner/test-model/resolve/${this.commit}/`;
    const name = url.pathname.startsWith(resolve) ? url.pathname.slice(resolve.length) : "";
    const file = this.files.get(name);
    if (this.page !== undefined) response.end(this.page);
    else if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`) {
      sendJson(response, 401, { error: "Invalid credentials in Authorization header" });
    } else if ([`${API}/revision/main`, `${API}/revision/${this.commit}`].includes(url.pathname)) {
      sendJson(response, 200, { _id: "1", id: "test-owner/test-model", sha: this.commit, private: false });
    } else if (url.pathname === `${API}/tree/${this.commit}`) {
      this.#sendTree(url, response);
    } else if (file === undefined) {
      sendJson(response, 404, { error: "Repository or entry not found" }, { "x-error-code": "RepoNotFound" });
    } else if (file.large) {
      const headers = { "x-linked-size": String(file.content.length), "x-linked-etag": `"${this.hashOf(file)}"` };
      response.writeHead(302, { location: `${this.storageUrl}/${name}`, ...headers }).end();
    } else {
      this.#sendContent(name, request, response);
    }
  }

  /** Two files a page, so that the client must follow the Link header. */
  #sendTree(url: URL, response: ServerResponse): void {
    if (this.listsOn) {
      const entry = { type: "file", path: "a", size: 1, oid: "a".repeat(40) };
      sendJson(response, 200, new Array(20_000).fill(entry), { link: `<${url.href}>; rel="next"` });
      return;
    }
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const all = [...this.files].map(([path, file]) => ({
      type: "file",
      path,
      size: file.content.length,
      oid: this.hashOf({ ...file, large: false }),
      ...(file.large && { lfs: { oid: this.hashOf(file), size: file.content.length, pointerSize: 134 } }),
    }));
    url.searchParams.set("cursor", String(start + 2));
    const headers = start + 2 < all.length ? { link: `<${url.href}>; rel="next"` } : {};
    sendJson(response, 200, all.slice(start, start + 2), headers);
  }

  #sendContent(name: string, request: IncomingMessage, response: ServerResponse): void {
    const file = this.files.get(name)!;
    const { range } = request.headers;
    const fault = range === "bytes=0-0" ? undefined : this.fault(name);
    if (fault !== undefined && "status" in fault) {
      response.writeHead(fault.status, fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter }).end();
      return;
    }
    const content = fault !== undefined && "replace" in fault ? fault.replace : file.content;
    const [, first = "0", last = String(content.length - 1)] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    const start = Number(first);
    const end = Math.min(Number(last), content.length - 1);
    if (range !== undefined && start > end) {
      response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
      return;
    }
    response.writeHead(range === undefined ? 200 : 206, {
      "content-length": end - start + 1,
      etag: `"${this.hashOf(file)}"`,
      "accept-ranges": "bytes",
      ...(range !== undefined && { "content-range": `bytes ${start}-${end}/${content.length}` }),
    });
    const body = content.subarray(start, end + 1);
    if (fault !== undefined && "cut" in fault) response.write(body.subarray(0, fault.cut), () => response.destroy());
    else response.end(body);
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
