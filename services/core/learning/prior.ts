/**
 * Warm starts: what arms are taken to have learned before their first decision. Made from counts or from another
 * experiment's sums, kept in the definition and added when a snapshot is built, to what policies see and to nothing else.
 */
import { Invalid } from '../errors.ts';
import type { ArmId } from '../events.ts';
import { type Arm, type ArmPrior, attributesRead, type Experiment } from '../experiment.ts';
import { affineIn } from '../expressions/affine.ts';
import type { ExactVector } from '../sums/exact.ts';
import { gramStart, N, SUM_R, SUM_RR, type SumsLayout, VECTOR_START } from '../sums/layout.ts';
import { keptLayout, naturalSums } from './natural-sums.ts';

/** What is known of an arm elsewhere, in the units that rewards are reported in: before scaling and before costs. */
export interface ArmCounts {
  readonly armId: string;
  readonly n: number;
  readonly sumReward: number;
  /** `null` when unknown: then the rewards are taken to vary as much as their sum allows. */
  readonly sumRewardSquared: number | null;
}

/** Share of a sum by which rounding may take it beyond its bounds. */
export const ROUNDING = 1e-9;
const LISTED_MAX = 20;

/**
 * The sums that policies see with the prior added. Forgetting does not touch it: it has no decision time to be old by.
 * Contexts that nothing is known of count as those of a unit of no category, average in every number: the intercept alone,
 * or the first pattern.
 * @param sums by arm, as kept; left as they are.
 */
export function withPrior(
  { arms, prior }: Experiment,
  sums: readonly Float64Array[],
  layout: SumsLayout,
): readonly Float64Array[] {
  if (prior.length === 0) return sums;
  const byArm = new Map(prior.map((one) => [one.armId, one]));
  return arms.map(({ id }, arm) => {
    const own = byArm.get(id);
    return own === undefined ? sums[arm]! : added(sums[arm]!, own, layout);
  });
}

function added(sums: Float64Array, { n, sumR, sumRR, contextSums }: ArmPrior, layout: SumsLayout): Float64Array {
  const cells = sums.slice();
  cells[N]! += n;
  cells[SUM_R]! += sumR;
  cells[SUM_RR]! += sumRR;
  if (contextSums.length > 0) {
    for (const [i, cell] of contextSums.entries()) cells[VECTOR_START + i]! += cell;
  } else if (layout.patterns > 0) {
    cells[VECTOR_START]! += n;
    cells[VECTOR_START + layout.patterns]! += sumR;
  } else if (layout.dimension > 0) {
    cells[VECTOR_START]! += sumR;
    cells[gramStart(layout)]! += n;
  }
  return cells;
}

/**
 * @param discount in (0, 1]: what an observation elsewhere is worth here.
 * @throws Invalid `prior` naming the arm and what is wrong.
 */
export function priorFromCounts(
  experiment: Experiment,
  counts: readonly ArmCounts[],
  discount: number,
): readonly ArmPrior[] {
  checkDiscount(discount);
  const arms = new Map(experiment.arms.map((arm) => [arm.id as string, arm]));
  const seen = new Set<string>();
  return counts.map(({ armId, n, sumReward, sumRewardSquared }) => {
    const arm = arms.get(armId);
    if (arm === undefined) {
      const known = [...arms.keys()].slice(0, LISTED_MAX).join(', ');
      throw new Invalid('prior', `experiment ${experiment.id} has no arm ${armId}, it has ${known}`);
    }
    if (seen.has(armId)) throw new Invalid('prior', `arm ${armId} stands twice`);
    seen.add(armId);
    if (!(n >= 0 && n < Number.POSITIVE_INFINITY)) {
      throw new Invalid('prior', `arm ${armId}: n is ${n}, allowed is a number of at least 0`);
    }
    const { least, width } = scaleOf(experiment, arm);
    const sumR = within((sumReward - n * least) / width, 0, n, () => {
      const allowed = `${n * least} to ${n * (least + width)}`;
      return `arm ${armId}: rewards add up to ${sumReward}, allowed for ${n} of them is ${allowed}`;
    });
    const squares =
      sumRewardSquared === null ? sumR : (sumRewardSquared - 2 * least * sumReward + n * least * least) / width ** 2;
    const sumRR = within(squares, n > 0 ? sumR ** 2 / n : 0, sumR, () => {
      return `arm ${armId}: squared rewards add up to ${sumRewardSquared}, which rewards of that sum and range cannot`;
    });
    return { armId: arm.id, ...weighed({ n, sumR, sumRR, contextSums: [] }, discount) };
  });
}

export interface Elsewhere {
  readonly experiment: Experiment;
  /** Its sums by arm. */
  readonly sums: ReadonlyMap<ArmId, ExactVector>;
}

/**
 * What another experiment has learned of arms of the same ids, its rewards mapped from its range and costs to ours. Its own
 * prior is not taken over.
 * @param withContexts whether to take sums of contexts: only where both keep the same, see `sameContexts`.
 * @throws Invalid `prior` when nothing fits, or its rewards lie outside our range.
 */
export function priorFromExperiment(
  target: Experiment,
  { experiment: source, sums }: Elsewhere,
  { discount, withContexts }: { readonly discount: number; readonly withContexts: boolean },
): readonly ArmPrior[] {
  checkDiscount(discount);
  const layout = keptLayout(source);
  const theirs = new Map(source.arms.map((arm) => [arm.id, arm]));
  const taken = target.arms.flatMap((arm) => {
    const { id } = arm;
    const vector = sums.get(id);
    const their = theirs.get(id);
    if (vector === undefined || their === undefined) return [];
    const { from, to } = scalesOf(source, their, target, arm);
    const moved = rescaled(
      naturalSums(vector, layout),
      layout,
      from.width / to.width,
      (from.least - to.least) / to.width,
    );
    const { n, sumR, sumRR } = moved;
    const outside = () =>
      `arm ${id}: ${n} rewards of experiment ${source.id} have a mean of ${sumR / n} of our range, allowed is 0 to 1`;
    const inside = { n, sumR: within(sumR, 0, n, outside), sumRR: within(sumRR, 0, sumR, outside) };
    const contextSums = withContexts ? moved.contextSums : [];
    return n > 0 ? [{ armId: id, ...weighed({ ...inside, contextSums }, discount) }] : [];
  });
  if (taken.length > 0) return taken;
  throw new Invalid('prior', `experiment ${source.id} has learned nothing of the arms of experiment ${target.id}`);
}

/** Whether two experiments keep the same sums of contexts. */
export function sameContexts(a: Experiment, b: Experiment): boolean {
  return (a.layout === null) === (b.layout === null) && JSON.stringify(a.context) === JSON.stringify(b.context);
}

type Sums = Omit<ArmPrior, 'armId'>;

/** Sums over r of what they are over r' = factor · r + shift. */
function rescaled(cells: Float64Array, layout: SumsLayout, factor: number, shift: number): Sums {
  const [n, sumR, sumRR] = [cells[N]!, cells[SUM_R]!, cells[SUM_RR]!];
  const contextSums = [...cells.subarray(VECTOR_START)];
  for (let pattern = 0; pattern < layout.patterns; pattern++) {
    const at = layout.patterns + pattern;
    contextSums[at] = factor * contextSums[at]! + shift * contextSums[pattern]!;
  }
  // Contexts begin with 1, so Σx is the first column of Σxxᵀ.
  for (let i = 0; i < layout.dimension; i++) {
    contextSums[i] = factor * contextSums[i]! + shift * cells[gramStart(layout) + (i * (i + 1)) / 2]!;
  }
  return {
    n,
    sumR: factor * sumR + shift * n,
    sumRR: factor ** 2 * sumRR + 2 * factor * shift * sumR + shift ** 2 * n,
    contextSums,
  };
}

function weighed({ n, sumR, sumRR, contextSums }: Sums, discount: number): Sums {
  return {
    n: discount * n,
    sumR: discount * sumR,
    sumRR: discount * sumRR,
    contextSums: contextSums.map((cell) => discount * cell),
  };
}

/** A reported reward v of an arm is (v − least) / width in [0, 1]. */
interface Scale {
  readonly least: number;
  readonly width: number;
}

/** @throws Invalid `prior` where a reported reward alone does not say what it is worth. */
function scaleOf({ id, reward }: Experiment, { attributes }: Arm): Scale {
  const { metrics, value, min, max } = reward;
  const [metric] = metrics.keys();
  const line = affineIn(value.expression, `metric.${metric}`, (name) =>
    name.startsWith('arm.') ? attributes.get(name.slice('arm.'.length)) : undefined,
  );
  if (line !== null && line.slope > 0) {
    return { least: (min - line.intercept) / line.slope, width: (max - min) / line.slope };
  }
  throw new Invalid(
    'prior',
    `experiment ${id}: its reward is ${value.text}; allowed is one metric, times and plus what each arm has of its own`,
  );
}

/** Where both formulas are the same, rewards are compared by their values, whatever the formula. */
function scalesOf(source: Experiment, their: Arm, target: Experiment, arm: Arm): { from: Scale; to: Scale } {
  const alike =
    source.reward.value.text === target.reward.value.text &&
    attributesRead(target.reward).every((name) => their.attributes.get(name) === arm.attributes.get(name));
  if (!alike) return { from: scaleOf(source, their), to: scaleOf(target, arm) };
  const [from, to] = [source, target].map(({ reward: { min, max } }) => ({ least: min, width: max - min }));
  return { from: from!, to: to! };
}

function within(value: number, min: number, max: number, problem: () => string): number {
  const slack = ROUNDING * (1 + Math.abs(max));
  if (value >= min - slack && value <= max + slack) return Math.min(Math.max(value, min), max);
  throw new Invalid('prior', problem());
}

function checkDiscount(discount: number): void {
  if (discount > 0 && discount <= 1) return;
  throw new Invalid('prior', `discount ${discount}, allowed above 0 and at most 1`);
}
