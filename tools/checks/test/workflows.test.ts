import { expect, test } from "vitest";
import { workflowProblems } from "../workflows.ts";

const workflow = (step: string, runner = "ubuntu-24.04"): Record<string, string> => ({
  "a.yml": `on: push\njobs:\n  a:\n    runs-on: ${runner}\n    steps:\n      - run: ${step}\n`,
});
const expression = (inside: string): string => `$\{{ ${inside} }}`;

test("a sound workflow, on a runner that actionlint does not know yet", async () => {
  expect(await workflowProblems(workflow("echo hello"))).toEqual([]);
});

test.each([
  [
    "an expression that leads nowhere",
    `echo ${expression("matrix.os")}`,
    undefined,
    'a.yml:6:23: property "os" is not',
  ],
  ["a runner that is none", "echo", "ubuntu-42", 'a.yml:4:14: label "ubuntu-42" is unknown'],
  ["a key that is none", "echo\n        runz: 1", undefined, 'a.yml:7:9: unexpected key "runz"'],
])("%s", async (_, step, runner, problem) => {
  const problems = await workflowProblems(workflow(step, runner));
  expect(problems).toEqual([expect.stringContaining(problem)]);
});
