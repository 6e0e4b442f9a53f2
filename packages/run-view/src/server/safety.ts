// Who may ask, and what a browser may do with the answer. A page of another site can reach a server on this machine too: by a name that it points
// here (so the `Host` is checked), or by a request that it makes the browser send (so writing asks for the page's own origin).
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { hostname } from "node:os";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";

const cookieName = "iapo-view-token";

/** Scripts and styles of this server only, none in the page; nothing leaves for elsewhere. */
const policy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"],
].join("; ");

const headers: Readonly<Record<string, string>> = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

export interface Guard {
  /** What is listened on. */
  readonly host: string;
  /** Asked for where others than this machine can reach the server. */
  readonly token: string | undefined;
}

export function guard({ host, token }: Guard): MiddlewareHandler {
  return async (context, next) => {
    const refused = refusalOf(context, host, token);
    const response = refused ?? (token === undefined ? undefined : tokenAnswer(context, token));
    if (response) context.res = response;
    else await next();
    for (const [name, value] of Object.entries(headers)) context.res.headers.set(name, value);
    if (!context.res.headers.has("cache-control")) context.res.headers.set("cache-control", "no-store");
  };
}

function refusalOf(context: Context, host: string, token: string | undefined): Response | undefined {
  const given = context.req.header("host") ?? "";
  const name = nameOf(given);
  if (name === undefined || !isKnown(name, host, token))
    return context.text("this server does not answer to that name\n", 421);
  const { method } = context.req;
  if (method !== "GET" && method !== "HEAD" && method !== "POST") return context.text("not allowed\n", 405);
  const isOwn = context.req.header("origin") === `http://${given}`;
  return method === "POST" && !isOwn ? context.text("only this server's own pages may ask for that\n", 403) : undefined;
}

/** The name in a `Host`, without its port; undefined where it is none. */
function nameOf(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i
    .exec(host)?.[1]
    ?.replace(/^\[|\]$/g, "")
    .toLowerCase();
}

/** Names of this machine that no one else can give it: numbers, and `localhost`. With a token, its own name and what was listened on too. */
function isKnown(name: string, host: string, token: string | undefined): boolean {
  if (name === "localhost" || name === "127.0.0.1" || name === "::1") return true;
  return token !== undefined && (isIP(name) !== 0 || [host, hostname()].some((own) => own.toLowerCase() === name));
}

/** Undefined where the request may go on. The address with the token is opened once; then a cookie has it. */
function tokenAnswer(context: Context, token: string): Response | undefined {
  if (isSame(getCookie(context, cookieName), token)) return undefined;
  if (!isSame(context.req.query("token"), token))
    return context.text("open the address that iapo view printed, with its token\n", 401);
  setCookie(context, cookieName, token, { httpOnly: true, sameSite: "Strict", path: "/" });
  const url = new URL(context.req.url);
  url.searchParams.delete("token");
  return context.redirect(`${url.pathname}${url.search}`);
}

function isSame(given: string | undefined, token: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return given !== undefined && timingSafeEqual(hash(given), hash(token));
}
