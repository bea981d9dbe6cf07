/**
 * What another definition would have earned on the decisions of the one that stands. The units are put into parts, in an order
 * that says nothing, and each part is judged by what those before it teach: so no parameter has seen a reward that it is
 * judged by, and errors of two parts are uncorrelated, as those of cross-fitting are not. Reads; writes nothing.
 */
import { sealSnapshot } from '../contracts/seal.ts';
import { flooredProbabilities } from '../core/deciding/decide.ts';
import { type ServedExperiment, serve } from '../core/deciding/served.ts';
import type { ArmStatistics } from '../core/deciding/snapshot.ts';
import { Invalid } from '../core/errors.ts';
import { estimateOffPolicy, type LoggedOutcome, type OffPolicyResult } from '../core/evaluation/off-policy.ts';
import type { ArmId } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import { type JudgedDecision, type JudgeOptions, judge, type PartSums } from './judged.ts';

/** Parts that are only learned from, so that what is judged has learned something. */
const TAUGHT_SHARE = 0.5;

export interface WhatIfOptions extends Omit<JudgeOptions, 'definitions' | 'matureMs'> {
  readonly live: Experiment;
  /** Of the same arms and contexts, see candidateDefinition. */
  readonly candidate: Experiment;
  /** Whose reward says what a decision was worth, for both sides. */
  readonly judgeBy: 'live' | 'candidate';
  /** The window of what it is judged by when `null`. */
  readonly matureMs: number | null;
}

export interface WhatIf {
  readonly experimentId: string;
  readonly judgedBy: 'live' | 'candidate';
  readonly decisions: number;
  /** Only learned from: of the parts that come first. */
  readonly taught: number;
  /** Drawn but too young to be judged. */
  readonly immature: number;
  /** Old enough, but of no reward, which does not count (`delay: labelled`). */
  readonly unlabelled: number;
  readonly share: number;
  /** Rewards as declared by the definition that judges, not scaled. */
  readonly sides: readonly { readonly name: string; readonly policy: string; readonly result: OffPolicyResult }[];
  /** Of all that was logged, by each definition; `probability` where there is no context. */
  readonly arms: readonly {
    readonly armId: ArmId;
    readonly live: LearnedArm | null;
    readonly candidate: LearnedArm | null;
  }[];
}

export interface LearnedArm extends Pick<ArmStatistics, 'pulls' | 'n'> {
  /** In the units of that definition; `null` without any. */
  readonly mean: number | null;
  readonly probability: number | null;
}

export async function whatIf(options: WhatIfOptions): Promise<WhatIf> {
  const { live, candidate, judgeBy } = options;
  const judging = judgeBy === 'live' ? live : candidate;
  const other = judgeBy === 'live' ? candidate : live;
  const matureMs = options.matureMs ?? judging.attribution.windowMs;
  const found = await judge({ ...options, definitions: [judging, other], matureMs });
  const sumsOf = (definition: Experiment): PartSums => found.sums[definition === judging ? 0 : 1]!;
  const taught = Math.ceil(options.parts * TAUGHT_SHARE);
  const judged = found.decisions.filter(({ part }) => part >= taught);
  const labelled = judged.filter(({ reward }) => reward !== null);
  const sides = [
    { name: 'live, as it was dealt', policy: 'as logged', result: asDealt(labelled, judging) },
    ...[['live definition', live] as const, ['candidate', candidate] as const].map(([name, definition]) => ({
      name,
      policy: definition.policies[0]!.kind,
      result: estimateOffPolicy(outcomes(labelled, { definition, judging }, sumsOf, options.parts)),
    })),
  ];
  return {
    experimentId: live.id,
    judgedBy: judgeBy,
    decisions: labelled.length,
    immature: found.immature,
    taught: found.decisions.length - judged.length,
    unlabelled: judged.length - labelled.length,
    share: options.share,
    sides,
    arms: learnedArms(live, sumsOf(live), candidate, sumsOf(candidate)),
  };
}

function asDealt(decisions: readonly JudgedDecision[], judging: Experiment): OffPolicyResult {
  return estimateOffPolicy(
    decisions.map(({ unitId, reward, propensity }) => {
      return { unitId, reward: reported(reward!, judging), propensity, targetProbability: propensity };
    }),
  );
}

interface Definitions {
  readonly definition: Experiment;
  readonly judging: Experiment;
}

function outcomes(
  decisions: readonly JudgedDecision[],
  { definition, judging }: Definitions,
  sumsOf: (definition: Experiment) => PartSums,
  parts: number,
): LoggedOutcome[] {
  const byPart = Array.from({ length: parts }, (_, part) => ({
    served: servedFrom(definition, sumsOf(definition), part),
    means: armMeans(judging, sumsOf(judging), part),
  }));
  return decisions.map(({ unitId, part, armIndex, propensity, features, experimentVersion, reward }) => {
    const { served, means } = byPart[part]!;
    const eligible = eligibleAt(definition, experimentVersion);
    const probabilities = probabilitiesOf(served, features, eligible);
    let targetProbability = 0;
    let target = 0;
    // Both definitions begin with the arms that were logged, in the same order; no logged decision knew of others.
    for (const [i, arm] of eligible.entries()) {
      if (arm === armIndex) targetProbability = probabilities[i]!;
      target += probabilities[i]! * means[arm]!;
    }
    return {
      ...{ unitId, propensity, targetProbability },
      reward: reported(reward!, judging),
      model: { logged: reported(means[armIndex]!, judging), target: reported(target, judging) },
    };
  });
}

/** The log does not keep which arms a request allowed: those that the definition deals and that there were then. */
function eligibleAt({ arms }: Experiment, version: number): readonly number[] {
  return [...arms.keys()].filter((i) => arms[i]!.state === 'active' && arms[i]!.sinceVersion <= version);
}

function servedFrom(definition: Experiment, sums: PartSums, part: number): ServedExperiment {
  return serve(definition, sealSnapshot(definition, sums.before(part), new Map()));
}

function probabilitiesOf(
  served: ServedExperiment,
  features: readonly number[],
  eligible: readonly number[],
): Float64Array {
  const { experiment, policies } = served;
  const policy = policies.get(experiment.policies[0]!.kind)!;
  return flooredProbabilities(policy, Float64Array.from(features), eligible, experiment.floor);
}

/** @returns by arm, the mean reward in [0, 1] of the parts before, drawn a little to the mean of all arms. */
function armMeans(judging: Experiment, sums: PartSums, part: number): number[] {
  const { arms } = sealSnapshot(judging, sums.before(part), new Map());
  const n = arms.reduce((sum, arm) => sum + arm.n, 0);
  const mean = n === 0 ? 0 : arms.reduce((sum, arm) => sum + arm.sumR, 0) / n;
  return arms.map((arm) => (arm.sumR + mean) / (arm.n + 1));
}

function reported(scaled: number, { reward: { min, max } }: Experiment): number {
  return min + scaled * (max - min);
}

function learnedArms(live: Experiment, liveSums: PartSums, candidate: Experiment, candidateSums: PartSums) {
  const [was, is] = [learned(live, liveSums), learned(candidate, candidateSums)];
  return candidate.arms.map(({ id }) => ({ armId: id, live: was.get(id) ?? null, candidate: is.get(id) ?? null }));
}

function learned(definition: Experiment, sums: PartSums): Map<ArmId, LearnedArm> {
  const snapshot = sealSnapshot(definition, sums.before(null), new Map());
  const eligible = eligibleAt(definition, definition.version);
  const probabilities =
    definition.context.length > 0 ? null : probabilitiesOf(serve(definition, snapshot), [], eligible);
  return new Map(
    snapshot.arms.map(({ armId, pulls, n, sumR }, arm) => {
      const probability = probabilities?.[eligible.indexOf(arm)] ?? null;
      return [armId, { pulls, n, mean: n === 0 ? null : reported(sumR / n, definition), probability }];
    }),
  );
}

/** @throws Invalid `what-if` when the file does not define exactly one experiment. */
export function onlyOne(file: string, definitions: readonly Experiment[]): Experiment {
  if (definitions.length === 1) return definitions[0]!;
  throw new Invalid('what-if', `${file}: ${definitions.length} experiments, allowed is one`);
}
