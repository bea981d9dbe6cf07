/**
 * The formula of an experiment's reward, from text to tree and held against what it may read; the same for files and records.
 */
import type { RewardSpec } from '../core/experiment.ts';
import { type Formula, namesOf } from '../core/expressions/expression.ts';
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
