// Files that mean harm, or are none: each is refused with a message of one screen, in bounded time, and pollutes nothing.
import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { base, config } from "./settings.ts";
import { folderOf, loaded, messageOf, refusalOf } from "./support.ts";

const aliases = Array.from({ length: 30 }, (_, i) => `a${i}: &a${i} [${i ? `*a${i - 1}, *a${i - 1}` : "1"}]`);

test.each<[what: string, text: string | Uint8Array, message: RegExp]>([
  ["too large", `# ${"x".repeat(2 ** 20)}`, /larger than a configuration/],
  ["no UTF-8", Uint8Array.of(0x61, 0xff, 0xfe), /cannot be read/],
  ["an alias bomb", aliases.join("\n"), /alias/i],
  [
    "many aliases of one word",
    `a: &a x\nb: [${"*a,".repeat(100_000)}]\n`,
    /run.yaml:2:\d+: there are more than 100 aliases/,
  ],
  [
    "an alias within its own mapping",
    `${base}train: &t\n  evaluate: *t\n`,
    /run.yaml:3:13: \*t stands within &t itself/,
  ],
  ["an alias within its own list", "train: &t [*t]\n", /\*t stands within &t itself/],
  ["an alias of nothing", `${base}output: *nothing\n`, /run.yaml:2:9: .*nothing/],
  ["a set", `${base}train: !!set {a}\n`, /run.yaml:2:8: .*tag/i],
  ["an ordered mapping", `${base}train: !!omap [a: 1]\n`, /tag/i],
  ["bytes", `${base}output: !!binary aGk=\n`, /tag/i],
  ["a foreign tag", `${base}output: !!python/object/apply:os.system ['id']\n`, /tag/i],
  ["YAML 1.1, in which no is false", `%YAML 1.1\n---\n${base}output: no\n`, /must be YAML 1.2/],
  ["YAML 9.9", `%YAML 9.9\n---\n${base}`, /version/],
  ["two documents", `${base}---\n${base}`, /document/],
  ["a key twice", `${base}train: {}\ntrain: {}\n`, /run.yaml:3:1: Map keys must be unique/],
  ["a key twice in other words", `${base}1: a\n"1": b\n`, /run.yaml:3:1: Map keys must be unique/],
  ["a list as key", `? [a, b]\n: 1\n${base}`, /a key must be a word/],
  ["a merge key, which YAML 1.2 has not", `${base}train: {<<: {steps: 3}}\n`, /unknown key "<<"/],
  ["prototype keys", `${base}__proto__: {polluted: 1}\n`, /unknown key "__proto__"/],
  ["a deep list", `a: ${"[".repeat(100_000)}\n`, /nested too deeply|flow/i],
  ["a deep closed list", `a: ${"[".repeat(20_000)}${"]".repeat(20_000)}\n`, /nested too deeply/],
  ["deep dashes", `a:\n${"- ".repeat(100_000)}x\n`, /nested too deeply/],
  ["100 levels", `a: ${"{a: ".repeat(100)}1${"}".repeat(100)}\n`, /nested too deeply/],
  ["many keys", Array.from({ length: 60_000 }, (_, i) => `k${i}: 1`).join("\n"), /and 59\d{3} more/],
  ["a huge tag", `${"!".repeat(500_000)}\n`, /tag/i],
  ["a huge alias", `output: *${"a".repeat(500_000)}\n`, /a{50}/],
  ["a huge key", `${base}${"k".repeat(300_000)}: 1\n`, /at most 1024 chars/],
  ["a long key in quotes", `${base}? "${"k".repeat(300_000)}"\n: 1\n`, /unknown key/],
  ["terminal escapes", `${base}"\\e[31mred\\x9b2J": 1\n`, /unknown key/],
  ["a base that never ends", "extends: /dev/zero\n", /\/dev\/zero cannot be read: it is not a regular file/],
  ["a base that is a directory", `extends: ${import.meta.dirname}\n`, /config.yaml cannot be read/],
])("%s", (_, text, message) => {
  const before = process.cpuUsage();
  const file = join(folderOf({ "run.yaml": text }), "run.yaml");
  const refusal = messageOf(() => config.load(file)).replaceAll(/\S*run\.yaml/g, "run.yaml");
  const { user, system } = process.cpuUsage(before);
  expect(refusal).toMatch(message);
  expect(refusal.length).toBeLessThan(5000);
  expect(refusal).not.toMatch(/[^\P{Cc}\n]/u);
  expect((user + system) / 1e6).toBeLessThan(5);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test.each([
  ["train=&t {evaluate: *t}", /\*t stands within &t itself/],
  ["train=*nothing", /command line: .*nothing/],
  ["train=!!set {a}", /tag/i],
  ["train={steps: 1, steps: 2}", /Map keys must be unique/],
  [`${"a.".repeat(100_000)}a=1`, /this must read key=value/],
  [`train=${"[".repeat(100_000)}`, /nested too deeply|flow/i],
  [`train=!${"a".repeat(100_000)} 1`, /tag/i],
])("--set of %.40s", (assignment, message) => {
  const refusal = refusalOf(base, [assignment]);
  expect(refusal).toMatch(message);
  expect(refusal.length).toBeLessThan(5000);
});

test("a pipe that nobody writes to is refused at once", () => {
  const folder = folderOf({});
  execFileSync("mkfifo", [join(folder, "pipe.yaml")]);
  expect(messageOf(() => config.load(join(folder, "pipe.yaml")))).toMatch(/it is not a regular file/);
});

test("a circle of links is told as a file that cannot be read", () => {
  const folder = folderOf({});
  symlinkSync("circle.yaml", join(folder, "circle.yaml"));
  expect(messageOf(() => config.load(join(folder, "circle.yaml")))).toMatch(/circle.yaml cannot be read: ELOOP/);
});

test("aliases, a byte order mark and Windows' line ends are taken", () => {
  const text = `\ufeff# a\r\nmodel: {directory: .}\r\ntrain: {rate: &r 0.5, noCall: *r}\r\n`;
  expect(loaded(text).train).toMatchObject({ rate: 0.5, noCall: 0.5 });
});
