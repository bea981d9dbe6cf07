/** When rewards become known, and whether they ever do. Time is in steps; chance is an argument. */
import { Invalid } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { ltvReports } from './ltv-curve.ts';

export interface RewardReport {
  /** How many steps after its decision it arrives; 0 is before the next decision. */
  readonly delaySteps: number;
  /** From 0: a later report revises the earlier ones. */
  readonly revision: number;
  readonly value: number;
}

/** @returns what is reported of a reward, in order of arrival; always at least one report. */
export type DelayModel = (value: number, random: Random) => readonly RewardReport[];

const FORMS = 'none, exponential:MEAN, log-normal:MEAN:SIGMA, ltv-curve:STEPS_A_DAY';

/**
 * @param text `none`; `exponential:500`, of mean 500 steps; `log-normal:500:1`, of mean 500 steps, the logarithm's
 *   deviation 1; `ltv-curve:100`, five reports within 30 days of 100 steps each, the last one final.
 * @throws Invalid naming the text and what is allowed.
 */
export function parseDelay(text: string): DelayModel {
  const [kind, ...given] = text.split(':');
  const numbers = given.map(Number);
  const right = (count: number) => numbers.length === count && numbers.every((x) => Number.isFinite(x) && x > 0);
  if (kind === 'none' && right(0)) return once(() => 0);
  if (kind === 'exponential' && right(1)) return once((random) => -numbers[0]! * Math.log(1 - random.next()));
  if (kind === 'log-normal' && right(2)) return logNormal(numbers[0]!, numbers[1]!);
  if (kind === 'ltv-curve' && right(1)) return ltvCurve(numbers[0]!);
  throw new Invalid('delay', `delay ${text}, allowed are ${FORMS}, with numbers above 0`);
}

function once(drawSteps: (random: Random) => number): DelayModel {
  return (value, random) => [{ delaySteps: Math.floor(drawSteps(random)), revision: 0, value }];
}

function logNormal(meanSteps: number, sigma: number): DelayModel {
  const mu = Math.log(meanSteps) - sigma ** 2 / 2;
  return once((random) => Math.exp(mu + sigma * random.normal()));
}

function ltvCurve(stepsADay: number): DelayModel {
  return (value, random) =>
    ltvReports(value, random).map((report) => ({
      delaySteps: Math.floor(report.day * stepsADay),
      revision: report.revision,
      value: report.value,
    }));
}
