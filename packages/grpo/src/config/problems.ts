// What a configuration that is well-formed cannot do, or will hardly do: told by the schema, and with more facts before a run and by --dry-run.
import { lossDefinition, lossPreset } from "../losses/registry.ts";
import type { GrpoSettings, OptimizerSettings } from "./settings.ts";

/** What is known beside the settings; each fact that is left out is not checked against. */
export interface ConfigurationFacts {
  /** Tasks to train on. */
  readonly tasks?: number | undefined;
  /** Held-out tasks. */
  readonly heldOut?: number | undefined;
  /** Turns that an episode of the environment can take. */
  readonly turns?: number | undefined;
  /** Positions that the model can tell apart. */
  readonly positions?: number | undefined;
  /** Tokens of a prompt, such as the first task's. */
  readonly promptTokens?: number | undefined;
}

export interface ConfigurationProblem {
  /** Of the setting, below the section that was checked. */
  readonly path: readonly string[];
  readonly message: string;
}

export interface ConfigurationProblems {
  /** The run could not run, or could not learn. */
  readonly errors: readonly ConfigurationProblem[];
  /** It would run, but something stands in it that will hardly do what was meant. */
  readonly warnings: readonly ConfigurationProblem[];
}

type Rule = readonly [broken: boolean, path: string, message: string];

/** Above this, AdamW, which moves each weight by about the learning rate in a step, changes weights of a model by their own size. */
const HIGH_LEARNING_RATE = 1e-2;

/** Those whose value is k1. */
const UNBIASED_AS_REWARD: readonly string[] = ["k1", "k1_k2"];

/** What a GRPO run of these settings cannot do. */
export function configurationProblems(settings: GrpoSettings, facts: ConfigurationFacts = {}): ConfigurationProblems {
  const { errors, warnings } = optimizerProblems(settings.optimizer);
  const below = ({ path, message }: ConfigurationProblem) => ({ path: ["optimizer", ...path], message });
  return {
    errors: [...errors.map(below), ...broken(errorRules(settings, facts))],
    warnings: [...warnings.map(below), ...broken([...warningRules(settings, facts), ...unusedRules(settings)])],
  };
}

/** What an optimizer of these settings will hardly do. */
export function optimizerProblems({ learningRate }: OptimizerSettings): ConfigurationProblems {
  const high = `moves each weight by about ${learningRate} a step, as much as weights are large: 1e-6 is usual, 1e-4 to 1e-3 for toy models and adapters`;
  return { errors: [], warnings: broken([[learningRate >= HIGH_LEARNING_RATE, "learningRate", high]]) };
}

function errorRules(settings: GrpoSettings, { tasks, turns, positions }: ConfigurationFacts): Rule[] {
  const { groups, rollout, functions, overlong, maxLag, dynamicSampling } = settings;
  const { samples, sampling, maxTokens, maxTurns } = rollout;
  const longest = maxTokens * maxTurns;
  const startsAt = overlong ? overlong.maximum - overlong.buffer : 0;
  return [
    [
      samples === 1 && functions.advantage === undefined,
      "rollout.samples",
      "a lone response has nothing to be compared with: its advantage is 0 and nothing is learned; set at least 2",
    ],
    [
      sampling.temperature === 0 || sampling.topK === 1,
      sampling.temperature === 0 ? "rollout.sampling.temperature" : "rollout.sampling.topK",
      "all responses to a task are the same then, and nothing is learned; set a temperature above 0, and topK above 1 or not at all",
    ],
    [
      overlong !== undefined && startsAt >= longest,
      "overlong.maximum",
      `the penalty begins at ${startsAt} tokens, but a response has at most ${longest} (maxTokens times maxTurns)`,
    ],
    [
      maxLag !== undefined && dynamicSampling !== undefined,
      "maxLag",
      "rollouts cannot be ahead where dynamicSampling decides which tasks come next: leave one of the two out",
    ],
    [
      tasks !== undefined && groups > tasks,
      "groups",
      `asks for ${groups} tasks a step, but the data holds ${tasks}; set at most that many`,
    ],
    [
      turns !== undefined && maxTurns < turns,
      "rollout.maxTurns",
      `is ${maxTurns}, but an episode of this environment can take ${turns} turns; set at least ${turns}`,
    ],
    [
      positions !== undefined && maxTokens >= positions,
      "rollout.maxTokens",
      `is ${maxTokens}, but the model can tell apart ${positions} positions, and prompts take some of them`,
    ],
  ];
}

function warningRules(settings: GrpoSettings, facts: ConfigurationFacts): Rule[] {
  const { groups, rollout, overlong, update, loss, evaluate } = settings;
  const { heldOut, positions, promptTokens = 0 } = facts;
  const longest = rollout.maxTokens * rollout.maxTurns;
  const { miniBatch = groups, epochs } = update;
  return [
    [
      overlong !== undefined && overlong.maximum > longest,
      "overlong.maximum",
      `is ${overlong?.maximum}, but a response has at most ${longest} tokens (maxTokens times maxTurns): the penalty is never whole`,
    ],
    [
      positions !== undefined && rollout.maxTokens < positions && promptTokens + longest > positions,
      "rollout.maxTokens",
      `a prompt of ${promptTokens} tokens and ${rollout.maxTurns} turns of ${rollout.maxTokens} pass the ${positions} positions that the model can tell apart`,
    ],
    [
      miniBatch > groups,
      "update.miniBatch",
      `is ${miniBatch}, but a step has ${groups} groups: they are one mini-batch`,
    ],
    [
      evaluate !== undefined && heldOut !== undefined && evaluate.tasks > heldOut,
      "evaluate.tasks",
      `is ${evaluate?.tasks}, but there are ${heldOut} held-out tasks: those are used`,
    ],
    [
      loss.kl?.where === "reward" && !UNBIASED_AS_REWARD.includes(loss.kl.estimator),
      "loss.kl.estimator",
      `is ${loss.kl?.estimator}: as a reward only k1 has the gradient of the KL divergence, others have a biased one`,
    ],
    [
      loss.kind === "reinforce" && (epochs > 1 || miniBatch < groups),
      "loss.kind",
      "reinforce does not correct for a policy that has moved: one mini-batch and one epoch a step are what it is exact for",
    ],
  ];
}

/** Settings that the loss of this kind does not read. */
function unusedRules({ loss }: GrpoSettings): Rule[] {
  const { preset } = lossDefinition(loss.kind);
  const published = lossPreset(loss.kind);
  return (["clip", "dualClip", "gate"] as const).map((name) => [
    !(name in preset) && JSON.stringify(loss[name]) !== JSON.stringify(published[name]),
    `loss.${name}`,
    `loss ${loss.kind} has no ${name}: it changes nothing`,
  ]);
}

function broken(rules: readonly Rule[]): ConfigurationProblem[] {
  return rules.flatMap(([isBroken, path, message]) => (isBroken ? [{ path: path.split("."), message }] : []));
}
