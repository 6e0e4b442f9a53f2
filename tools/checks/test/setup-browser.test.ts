// scripts/setup-browser.sh on a PATH without a browser, with a false apt-get that notes how it was called.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const script = join(import.meta.dirname, "../../../scripts/setup-browser.sh");
const onDebian = existsSync("/etc/os-release") && /^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"));

/** A folder of commands, the only ones that the script finds: what it needs of the system, and `commands` by name. */
function commandFolder(commands: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "iapo-setup-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ["bash", "basename", "dirname", "env", "id"]) symlinkSync(`/usr/bin/${name}`, join(folder, name));
  for (const [name, body] of Object.entries(commands)) {
    writeFileSync(join(folder, name), `#!/usr/bin/env bash\necho "${name} $*" >>"${folder}/calls"\n${body}\n`, {
      mode: 0o755,
    });
  }
  return folder;
}

function setUp(folder: string, env: NodeJS.ProcessEnv = {}): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    execFile("/usr/bin/env", ["bash", script], { env: { PATH: folder, ...env } }, (error, printed, said) => {
      const calls = existsSync(join(folder, "calls")) ? readFileSync(join(folder, "calls"), "utf8") : "";
      resolve({ code: typeof error?.code === "number" ? error.code : 0, printed, said, calls });
    });
  });
}

test("a browser that is there is named, and nothing is installed", async () => {
  const folder = commandFolder({ chromium: "", "apt-get": "exit 1" });
  expect(await setUp(folder)).toEqual({ code: 0, printed: `${folder}/chromium\n`, said: "", calls: "" });
});

test("GPU_SETUP=skip installs nothing and gives advice", async () => {
  const result = await setUp(commandFolder({ "apt-get": "" }), { GPU_SETUP: "skip" });
  expect(result).toMatchObject({
    code: 1,
    printed: "",
    calls: "",
    said: expect.stringContaining("no Chromium on PATH"),
  });
});

test("without apt-get the script gives advice", async () => {
  const result = await setUp(commandFolder({}));
  expect(result).toMatchObject({ code: 1, printed: "", said: expect.stringContaining("Fedora: dnf install chromium") });
});

test("on Debian a missing browser is installed, and a failing installation gives advice", async () => {
  if (!onDebian) return; // elsewhere nothing is installed: see the tests above
  const sudo = 'exec "$@"';
  const refused = await setUp(commandFolder({ sudo, "apt-get": "exit 1" }));
  expect(refused).toMatchObject({ code: 1, printed: "", said: expect.stringContaining("could not be installed") });

  const apt =
    'case "$*" in *install*) printf "#!/usr/bin/env bash\\n" >"$PATH/chromium"; chmod +x "$PATH/chromium" ;; esac';
  const folder = commandFolder({ sudo, "apt-get": apt });
  symlinkSync("/usr/bin/chmod", join(folder, "chmod"));
  const installed = await setUp(folder);
  expect(installed).toMatchObject({ code: 0, printed: `${folder}/chromium\n` });
  expect(installed.calls).toMatch(/apt-get .*update\n[\s\S]*apt-get .*install -y --no-install-recommends chromium\n/);
});
