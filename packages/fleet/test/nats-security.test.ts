// A server that asks who comes, and proves who it is: TLS by an authority of one's own, a password, a file of credentials; what is wrong is told in a sentence.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { natsTransport } from "@iapo/fleet";
import { nkeys } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { natsServer, startServer } from "./support/nats-server.ts";

const isFull = process.env.IAPO_FULL === "1";
const hasOpenssl = isFull || spawnSync("openssl", ["version"]).status === 0;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-security-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function served(args: readonly string[]): Promise<string> {
  const server = await startServer(args);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server.url;
}

/** An authority, and a server's certificate of it. */
function certificates(): { authority: string; certificate: string; key: string } {
  const folder = temporaryFolder();
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...made,
    "-days",
    "2",
    "-subj",
    "/CN=authority",
    "-keyout",
    "authority.key",
    "-out",
    "ca.pem",
  );
  openssl("req", ...made, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr");
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost\n");
  const signed = ["-CA", "ca.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  openssl("x509", "-req", "-in", "server.csr", ...signed, "-out", "server.pem");
  const at = (name: string): string => join(folder, name);
  return { authority: at("ca.pem"), certificate: at("server.pem"), key: at("server.key") };
}

async function meeting(server: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const program = join(import.meta.dirname, "support/meet.ts");
  const { stdout } = await promisify(execFile)(
    "node",
    ["--conditions=@iapo/source", "--no-warnings", program, server],
    {
      env: { ...process.env, ...env },
    },
  );
  return stdout.trim();
}

test("TLS: by an authority that NODE_EXTRA_CA_CERTS names; without it, or at a server that has none, nothing is said", async ({
  skip,
}) => {
  skip(natsServer === undefined, "there is no nats-server");
  skip(!hasOpenssl, "there is no openssl");
  const { authority, certificate, key } = certificates();
  const secret = ["--tls", "--tlscert", certificate, "--tlskey", key, "--user", "anna", "--pass", "se:cret"];
  const [plain, url] = await Promise.all([served([]), served(secret)]);
  const address = url.replace("nats://127.0.0.1", "tls://localhost");
  const known = address.replace("tls://", "tls://anna:se%3Acret@");
  const env = { NODE_EXTRA_CA_CERTS: authority };
  const [right, stranger, wrong, none] = await Promise.all([
    meeting(known, env),
    meeting(known),
    meeting(address.replace("tls://", "tls://anna:guess@"), env),
    meeting(plain.replace("nats:", "tls:")),
  ]);
  expect(right).toBe("reached: 1,2,3");
  expect(stranger).toMatch(
    /^tls:\/\/localhost:\d+ has a certificate of an authority that is not trusted here \(.*\): .*CA_CERTS$/,
  );
  expect(wrong).toMatch(/^tls:\/\/localhost:\d+ refuses these credentials \(.*\): give user:password@ .* NATS_CREDS$/);
  expect(none).toMatch(/^tls:\/\/127\.0\.0\.1:\d+ cannot be reached as a NATS server: server does not support 'tls'$/);
});

test("credentials: of the address, or of a file; wrong ones, and a file that holds none, are told without what is secret", async ({
  skip,
}) => {
  skip(natsServer === undefined, "there is no nats-server");
  const folder = temporaryFolder();
  const [one, other] = [nkeys.createUser(), nkeys.createUser()];
  const config = join(folder, "users.conf");
  const users = `{ user: anna, password: "se:cret" }, { nkey: ${one.getPublicKey()} }`;
  writeFileSync(config, `authorization { users: [${users}] }\n`);
  const url = await served(["-c", config]);
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const credentials = (user: typeof one): string => {
    const seed = new TextDecoder().decode(user.getSeed());
    const part = (name: string, text: string): string =>
      `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n\n`;
    return part("NATS USER JWT", "of.no.account") + part("USER NKEY SEED", seed);
  };
  const meet = async (server: string, creds?: string): Promise<void> => {
    vi.stubEnv("NATS_CREDS", creds);
    onTestFinished(() => void vi.unstubAllEnvs());
    await (await natsTransport({ server, run: "x" })).close();
  };
  const saying = (message: RegExp) => ({ code: "lost", message: expect.stringMatching(message) });
  await meet(url.replace("nats://", "nats://anna:se%3Acret@"));
  await meet(url, file("one.creds", credentials(one)));
  const refuses = /^nats:\/\/127\.0\.0\.1:\d+ refuses these credentials \([^)]*\): give user:password@ .* NATS_CREDS$/;
  await expect(meet(url)).rejects.toMatchObject(saying(refuses));
  await expect(meet(url.replace("nats://", "nats://anna:guess@"))).rejects.toMatchObject(saying(refuses));
  await expect(meet(url, file("other.creds", credentials(other)))).rejects.toMatchObject(saying(refuses));
  await expect(meet(url, file("empty.creds", "nothing\n"))).rejects.toMatchObject(saying(/ holds no credentials$/));
  await expect(meet(url, join(folder, "away.creds"))).rejects.toMatchObject({ code: "missing" });
  await expect(meet("anna:se:cret@host")).rejects.toMatchObject({
    code: "argument",
    message: expect.not.stringContaining("cret"),
  });
});
