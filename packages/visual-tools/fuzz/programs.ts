/** Hostile and half-sensible responses for the fuzz test: a grammar of almost-programs, damage to them, and known escapes. */
import fc from "fast-check";

const fenced = (code: string): string => `\`\`\`python\n${code}\n\`\`\``;

const tools = ["columns", "rows", "x_values", "y_values"].flatMap((axis) =>
  ["highlight", "mask", "draw"].map((action) => `focus_on_${axis}_with_${action}`),
);

const names = [
  "image_1",
  "columns_bbox",
  "rows_bbox",
  "display",
  "x",
  "y",
  "image_2",
  "__builtins__",
  "None",
  ...tools,
];
const keys = ["Year", "7", "a b", "", "__proto__", "constructor", "toString", "Größe", "\u{1F469}\u200d\u{1F467}"];

const quoted = fc.constantFrom(...keys).map((key) => JSON.stringify(key));
const number = fc.oneof(
  fc.integer({ min: -100, max: 200 }).map(String),
  fc.double({ noNaN: true }).map((value) => String(value).replace("Infinity", "1e999")),
  fc.constantFrom("007", "0x_f", "1e9", "9".repeat(400), "1j", ".5", "5."),
);

const box = fc
  .tuple(number, number, number, number)
  .map(([x1, y1, x2, y2]) => `{'x1': ${x1}, 'y1': ${y1}, 'x2': ${x2}, 'y2': ${y2}}`);

const boxes = fc.array(fc.tuple(quoted, box), { maxLength: 6 }).map((entries) => {
  return `{${entries.map(([key, value]) => `${key}: ${value}`).join(", ")}}`;
});

const { expression } = fc.letrec<{ expression: string; call: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(...names),
    quoted,
    number,
    boxes,
    fc.array(tie("expression"), { maxLength: 4 }).map((items) => `[${items.join(", ")}]`),
    tie("call"),
    tie("expression").map((inner) => `(${inner})`),
    tie("expression").map((inner) => `${inner}.copy()`),
    fc.tuple(tie("expression"), tie("expression")).map(([left, right]) => `${left} * ${right}`),
  ),
  call: fc.oneof(
    fc
      .tuple(
        fc.constantFrom(...tools),
        tie("expression"),
        fc.array(quoted, { maxLength: 5 }),
        fc.oneof(boxes, fc.constantFrom("columns_bbox", "rows_bbox")),
      )
      .map(([tool, image, list, map]) => `${tool}(${image}, [${list.join(", ")}], ${map})`),
    fc
      .tuple(fc.constantFrom(...tools), fc.array(quoted, { maxLength: 5 }))
      .map(([tool, list]) => `${tool}(image_1, [${list.join(", ")}], columns_bbox)`),
    fc
      .tuple(fc.constantFrom(...names), fc.array(tie("expression"), { maxLength: 4 }))
      .map(([name, args]) => `${name}(${args.join(", ")})`),
  ),
}));

const simple = fc.oneof(
  fc.tuple(fc.constantFrom("x", "y", "image_1", "display"), expression).map(([name, value]) => `${name} = ${value}`),
  expression.map((value) => `display(${value})`),
  expression,
);

const statement = fc.oneof(
  { weight: 8, arbitrary: simple },
  {
    weight: 1,
    arbitrary: fc.tuple(expression, simple, simple).map(([list, a, b]) => `for x in ${list}:\n    ${a}\n    ${b}`),
  },
);

const program = fc.array(statement, { minLength: 1, maxLength: 8 }).map((lines) => fenced(lines.join("\n")));

/** Programs as a trained model writes them. */
const sound = fc
  .array(
    fc.tuple(
      fc.constantFrom(...tools),
      fc.constantFrom("image_1", "x"),
      fc.array(fc.constantFrom('"Year"', '"7"', '"a b"', '"none"'), { maxLength: 3 }),
      fc.constantFrom("columns_bbox", "rows_bbox"),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((calls) => {
    const lines = calls.map(([tool, image, list, map]) => `x = ${tool}(${image}, [${list.join(", ")}], ${map})`);
    return fenced(["x = image_1", ...lines, "display(x)"].join("\n"));
  });

/** Cuts, doubles or replaces a piece. */
const damaged = fc
  .tuple(
    program,
    fc.nat(),
    fc.nat({ max: 12 }),
    fc.oneof(fc.constant(""), fc.string({ unit: "binary", maxLength: 6 }), quoted),
  )
  .map(([text, start, length, piece]) => {
    const at = start % text.length;
    return text.slice(0, at) + piece + text.slice(at + length);
  });

export const responses: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: program },
  { weight: 3, arbitrary: sound },
  { weight: 4, arbitrary: damaged },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 200 }).map((text) => `\`\`\`python\nimage_1 ${text}\n\`\`\``),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
);

/** Ways out that have been tried on interpreters and sandboxes. `image_1` or `display` marks each as a tool program. */
export const escapes: readonly string[] = [
  "import os; os.system('touch escaped') # image_1",
  "from subprocess import run as display; display(['touch', 'escaped'])",
  "__import__('os').system('touch escaped') # image_1",
  "open('escaped', 'w').write('image_1')",
  "display(open('/etc/passwd').read())",
  "eval('display(image_1)')",
  "exec('image_1 = 1')",
  "compile('display(image_1)', '', 'exec')",
  "().__class__.__base__.__subclasses__() # image_1",
  "image_1.__class__.__init__.__globals__['os']",
  "getattr(image_1, '__cl' + 'ass__')",
  "display.constructor('return process')()",
  "display(image_1.constructor.constructor('return globalThis')())",
  "globalThis.escaped = image_1",
  "process = require('process'); display(process)",
  "constructor(image_1)",
  "__proto__(image_1)",
  "toString(image_1)",
  "display(__proto__)",
  "hasOwnProperty = image_1; display(valueOf)",
  "x = {'__proto__': {'x1': 1, 'y1': 1, 'x2': 9, 'y2': 9}}\ndisplay(focus_on_rows_with_draw(image_1, ['__proto__'], x))",
  "display(focus_on_rows_with_draw(image_1, ['constructor', 'toString'], columns_bbox))",
  "focus_on_rows_with_draw(__proto__=image_1, constructor=[], toString={})",
  "display(f'{image_1.__class__}')",
  "display(f\"{__import__('os').getcwd()}\", image_1)",
  "display((lambda: image_1)())",
  "display([x for x in [image_1] * 10**9])",
  "display({k: v for k in rows_bbox for v in rows_bbox})",
  "display(sum(range(10**12)), image_1)",
  "x = 9**9**9**9 # image_1",
  "x = [0] * 10**12 # image_1",
  "x = 'image_1' * 10**12",
  "while True: display(image_1)",
  "def display(x): display(x)\ndisplay(image_1)",
  "class image_1: pass",
  "try:\n    display(image_1)\nexcept BaseException:\n    pass",
  "with open('escaped', 'w') as image_1: pass",
  "display(image_1) if True else exit()",
  "global image_1",
  "del image_1",
  "raise SystemExit(image_1)",
  "async def display(): await image_1",
  "for a in 'abcdefgh':\n for b in 'abcdefgh':\n  for c in 'abcdefgh':\n   for d in 'abcdefgh': display(image_1)",
  `for k in [${"1,".repeat(3000)}]: image_1 = focus_on_columns_with_highlight(image_1, ['Year'], columns_bbox)`,
  `x = [image_1]\n${"x = [x, x, x, x]\n".repeat(60)}`,
  `${"focus_on_rows_with_mask(".repeat(500)}image_1${")".repeat(500)}`,
  `x = ${"(".repeat(4000)}image_1${")".repeat(4000)}`,
  `x = ${"[".repeat(4000)}image_1`,
  `x = ${"{1:".repeat(2600)}image_1`,
  `x = ${"-".repeat(8000)}1 # image_1`,
  `x = ${"not ".repeat(2000)}image_1`,
  `x = ${"lambda:".repeat(1100)}image_1`,
  `x = image_1${".a".repeat(4000)}`,
  `x = image_1${"[0]".repeat(2600)}`,
  `x = image_1${"()".repeat(4000)}`,
  `x = ${"1+".repeat(4000)}1 # image_1`,
  `${Array.from({ length: 120 }, (_, depth) => `${" ".repeat(depth)}for x in [1]:`).join("\n")}\n${" ".repeat(120)}image_1`,
  `${Array.from({ length: 120 }, (_, depth) => `${" ".repeat(depth)}if 1:`).join("\n")}\n${" ".repeat(120)}image_1`,
  `x = '${"a".repeat(10_000_000)}' # image_1`,
  `x = ${"9".repeat(10_000_000)} # image_1`,
  `# ${"image_1 ".repeat(1_000_000)}`,
  `x = "${"\\x41".repeat(2000)}" # image_1`,
  `x = '\\N{BULLET}' # image_1`,
  `x = '\\ud800' # image_1`,
  "display(image_1)\0",
  "display('\ud800', image_1)",
  "\ufeffdisplay(image_1)",
  "display\u200b(image_1)",
  "\u202edisplay(image_1)",
  "x = 1_ # image_1",
  "x: image_1 = 3",
  "(image_1 := display)",
  "display(*[image_1], **{})",
  "display = focus_on_rows_with_mask\ndisplay(display, display, display)",
  "image_1 = columns_bbox = rows_bbox = display\ndisplay(display)",
  `display(focus_on_rows_with_draw(image_1, ['a'], {'a': {'x1': -1e308, 'y1': -1e308, 'x2': 1e308, 'y2': 1e308}}))`,
  `display(focus_on_rows_with_draw(image_1, ['a'], {'a': {'x1': -2147483649, 'y1': 0, 'x2': 4294967296, 'y2': 5}}))`,
  `b = {${Array.from({ length: 180 }, (_, i) => `'${i}': {'x1':0,'y1':0,'x2':64,'y2':64}`).join(",")}}\n${"focus_on_columns_with_highlight(image_1, b, b)\n".repeat(40)}`,
  `k = [${"'Year',".repeat(900)}]\n${"focus_on_columns_with_highlight(image_1, k, columns_bbox)\n".repeat(30)}`,
].map(fenced);

/** Responses that are hostile to the cutting itself. */
export const hostileResponses: readonly string[] = [
  "```python",
  "```python```python```python",
  "```python\n".repeat(100_000),
  "`".repeat(1_000_000),
  `\`\`\`python\n${"ANSWER ".repeat(200_000)}`,
  `\`\`\`python\nimage_1 ANSWER${" ".repeat(500_000)}`,
  `\`\`\`python\n${"FINAL ANSWER".repeat(100_000)} image_1`,
  `${"\\_".repeat(1_000_000)}\`\`\`python\nimage_1`,
  "\\".repeat(1_000_000),
];
