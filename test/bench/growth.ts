/**
 * What policies earn in the growth case, 20 seeds of 5,000 users each, against what is claimed of them: as published,
 * reading the context pays beyond chance; balanced, defaults earn what the best of 22 policies of mabwiser, Vowpal Wabbit,
 * contextualbandits and river earned, several of those with parameters tuned for it.
 */
import { startProgress } from '../../services/platform/progress.ts';
import { type Comparison, compare } from '../../services/simulator/comparison.ts';
import { simulateAll } from '../../services/simulator/pool.ts';
import { runsOf, type Setting } from '../../services/simulator/setting.ts';
import { figuresText } from '../../services/simulator/tables.ts';
import { type Bar, bar } from './bars.ts';

const CONTEXTUAL = ['linucb', 'linear-ts'];
const UPPER_BOUNDS = ['linucb', 'linucb-hybrid'];
const OTHERS = ['random', 'always-first', 'epsilon-greedy:epsilon=.3', 'ucb1', 'beta-ts'];
const PUBLISHED: Setting = {
  environments: ['growth-published'],
  policies: [...CONTEXTUAL, ...OTHERS],
  seeds: Array.from({ length: 20 }, (_, seed) => seed),
  users: 5_000,
  delay: 'none',
  neverShare: 0,
  snapshotEvery: 1,
  pendingExposure: true,
};
const BALANCED: Setting = {
  ...PUBLISHED,
  environments: ['growth-balanced'],
  policies: [...UPPER_BOUNDS, 'linear-ts'],
};
const CASES = [
  { name: 'rewards at once', setting: BALANCED, best: 111.2 },
  { name: 'rewards 500 users late', setting: { ...BALANCED, delay: 'exponential:500' }, best: 110.3 },
  { name: 'a snapshot every 200 users', setting: { ...BALANCED, snapshotEvery: 200 }, best: 110.6 },
];

export async function growthBars(): Promise<readonly Bar[]> {
  const settings = [PUBLISHED, ...CASES.map(({ setting }) => setting)];
  const runs = settings.map(runsOf);
  const progress = startProgress({ label: 'simulating', total: runs.flat().length, unit: 'runs', to: process.stderr });
  const summaries = await simulateAll(runs.flat(), (done) => progress.update(done)).finally(() => progress.stop());
  const starts = runs.map((_, at) => runs.slice(0, at).flat().length);
  const [published, ...balanced] = settings.flatMap((setting, at) =>
    compare(setting, summaries.slice(starts[at], starts[at]! + runs[at]!.length)),
  );
  process.stdout.write(`As published\n${figuresText(published!)}\n\n`);
  for (const [at, { name }] of CASES.entries()) process.stdout.write(`With ${name}\n${figuresText(balanced[at]!)}\n\n`);
  return [
    ...publishedBars(published!),
    ...CASES.flatMap(({ name, best }, at) => balancedBars(balanced[at]!, name, best)),
  ];
}

/** Bands that do not overlap: the lower end of one above the upper end of the other. */
function publishedBars(comparison: Comparison): Bar[] {
  return CONTEXTUAL.flatMap((one) =>
    OTHERS.map((other) => {
      const gap = meanOf(comparison, one).low! - meanOf(comparison, other).high!;
      return bar(`as published: ${one} above ${other}, between 95 % bands`, gap, 'a user', 'at least', 0);
    }),
  );
}

function balancedBars(comparison: Comparison, name: string, best: number): Bar[] {
  return UPPER_BOUNDS.map((policy) => {
    const { high } = meanOf(comparison, policy);
    return bar(`balanced, ${name}: ${policy}, upper end of its 95 % band`, high!, 'a user', 'at least', best);
  });
}

function meanOf({ policies }: Comparison, policy: string) {
  return policies.find((result) => result.policy === policy)!.figures.mean!;
}
