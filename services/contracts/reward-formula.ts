/**
 * The formula of an experiment's reward, from text to tree and held against what it may read; the same for files and records.
 */
import type { Arm, Fold, RewardSpec } from '../core/experiment.ts';
import { evaluate, type Formula, namesOf } from '../core/expressions/expression.ts';
import { type Declared, readableNames } from '../core/join/reward-formula.ts';
import { nameText, parseFormula } from './expression-text.ts';
import { unknownName } from './nearest.ts';

/**
 * @param text left out where the only metric is the value.
 * @throws Invalid `expression` that says what is wrong and what is allowed.
 */
export function rewardFormula(text: string | undefined, metrics: RewardSpec['metrics']): Formula {
  return parseFormula(text ?? [...metrics.keys()].map((name) => nameText('metric', name)).join());
}

/** @returns what is wrong with it, as messages; none when all is well. */
export function formulaProblems(formula: Formula, declared: Declared): string[] {
  const allowed = readableNames(declared);
  const read = namesOf(formula.expression);
  const unknown = read
    .filter((name) => !allowed.includes(name))
    .map((name) => unknownName(`name ${name}`, name, allowed));
  const idle = [...declared.metrics.keys()].filter((name) => !read.includes(`metric.${name}`));
  return [...unknown, ...idle.map((name) => `does not read metric ${name}; read it or leave it out`)];
}

/** The first reward says all: those that follow leave the value as it is, or are rare. */
const SETTLED_BY_FIRST: readonly Fold[] = ['first', 'max'];

/**
 * What speaks against correcting for delays. Exposure is scaled to the share of first rewards that has had time to come, and
 * Σr is not: so r must be nothing before the first reward, and must not go on growing after it.
 * @param value that reads only what there is.
 * @returns messages; none when all is well.
 */
export function delayProblems(
  { delay, metrics, value, min }: RewardSpec,
  arms: readonly Pick<Arm, 'attributes'>[],
): string[] {
  if (delay !== 'delay-corrected') return [];
  const several = metrics.size > 1 ? [`allowed with one metric, there are ${metrics.size}; take mature`] : [];
  const growing = [...metrics]
    .filter(([, { fold }]) => !SETTLED_BY_FIRST.includes(fold))
    .map(
      ([name, { fold }]) =>
        `allowed with the folds ${SETTLED_BY_FIRST.join(', ')}, as what follows a first reward is not corrected for; ` +
        `${name} has ${fold}`,
    );
  const read = namesOf(value.expression);
  const contextual = read
    .filter((name) => name.startsWith('context.'))
    .map((name) => `allowed with values that do not read the context; it reads ${name}`);
  if (contextual.length > 0) return [...several, ...growing, ...contextual];
  const worth = arms.map(({ attributes }) =>
    evaluate(value.expression, (name) => {
      const own = name.slice(name.indexOf('.') + 1);
      return name.startsWith('metric.') ? metrics.get(own)!.default : attributes.get(own)!;
    }),
  );
  const other = worth.find((each) => each !== min);
  const paid = other === undefined ? [] : [`allowed where no reward is worth min, ${min}; an arm's is worth ${other}`];
  return [...several, ...growing, ...paid];
}
