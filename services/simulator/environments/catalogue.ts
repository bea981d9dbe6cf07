/** Every environment there is, by name. A new one adds one entry here. */
import { Invalid } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { Environment } from '../environment.ts';
import { BALANCED_COUPONS, GrowthCase, PUBLISHED_COUPONS } from '../growth.ts';
import { Adversary } from './adversary.ts';
import { Albums } from './albums.ts';
import { Arms } from './arms.ts';
import { ChangingPool } from './changing-pool.ts';
import { Page } from './page.ts';

export interface EnvironmentEntry {
  readonly name: string;
  readonly doc: string;
  /** @param random decides what differs from one world of this name to another, where anything does. */
  create(random: Random): Environment;
}

const MEANS = [0.3, 0.4, 0.5, 0.6, 0.7];
const WALK = { kind: 'walk', deviation: 0.005 } as const;
const SWITCHES = { kind: 'switches', everySteps: 2_500 } as const;
const GAUSSIAN = { kind: 'gaussian', deviation: 0.2 } as const;
const BERNOULLI = { kind: 'bernoulli' } as const;
const STILL = { kind: 'none' } as const;

export const ENVIRONMENTS: readonly EnvironmentEntry[] = [
  {
    name: 'growth-balanced',
    doc: 'Five coupons for new users, by 30-day value after costs; four of them are best for somebody',
    create: () => new GrowthCase(BALANCED_COUPONS),
  },
  {
    name: 'growth-published',
    doc: 'Five coupons as first published: A2 is best for everybody before costs, and for 82.5 % of the users after them',
    create: () => new GrowthCase(PUBLISHED_COUPONS),
  },
  {
    name: 'bernoulli',
    doc: 'Five arms that pay 1 with probability .3 to .7',
    create: () => new Arms({ means: MEANS, rewards: BERNOULLI, drift: STILL }),
  },
  {
    name: 'bernoulli-walk',
    doc: 'Five arms that pay 1 with probability .3 to .7 at first, each probability a random walk',
    create: () => new Arms({ means: MEANS, rewards: BERNOULLI, drift: WALK }),
  },
  {
    name: 'bernoulli-switches',
    doc: 'Five arms that pay 1 with probability .3 to .7, passed on to the next arm every 2500 steps',
    create: () => new Arms({ means: MEANS, rewards: BERNOULLI, drift: SWITCHES }),
  },
  {
    name: 'gaussian',
    doc: 'Five arms that pay .3 to .7 with normal noise of deviation .2',
    create: () => new Arms({ means: MEANS, rewards: GAUSSIAN, drift: STILL }),
  },
  {
    name: 'gaussian-walk',
    doc: 'Five arms that pay .3 to .7 at first with normal noise of deviation .2, each mean a random walk',
    create: () => new Arms({ means: MEANS, rewards: GAUSSIAN, drift: WALK }),
  },
  {
    name: 'gaussian-switches',
    doc: 'Five arms that pay .3 to .7 with normal noise of deviation .2, the means passed on to the next arm every 2500 steps',
    create: () => new Arms({ means: MEANS, rewards: GAUSSIAN, drift: SWITCHES }),
  },
  {
    name: 'page',
    doc: '27 layouts of a page, with effects by country and returning visitors',
    create: (random) => new Page(random),
  },
  {
    name: 'albums',
    doc: '4000 albums in two slots, 40 new ones every 1000 steps; give --snapshot-every 200 or more',
    create: (random) => new Albums({ albums: 4_000, newADay: 40, stepsADay: 1_000, slots: 2 }, random),
  },
  {
    name: 'changing-pool',
    doc: 'Ten items with rates from Beta(4, 4), each replaced with probability .001 a step',
    create: (random) => new ChangingPool(random),
  },
  {
    name: 'adversarial',
    doc: 'Three arms, the good one another in each phase of double length; regret is against the best single arm',
    create: () => new Adversary({ arms: 3, firstPhaseSteps: 100 }),
  },
];

/** @throws Invalid naming the environments there are. */
export function findEnvironment(name: string): EnvironmentEntry {
  const entry = ENVIRONMENTS.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const known = ENVIRONMENTS.map((candidate) => candidate.name).join(', ');
  throw new Invalid('environment-unknown', `environment ${name} is unknown, allowed are ${known}`);
}
