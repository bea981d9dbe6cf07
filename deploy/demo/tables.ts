/**
 * The demo's result as tables.
 */
import { BALANCED_COUPONS } from '../../services/simulator/growth.ts';
import type { DemoResult } from './perform.ts';
import { offPolicyCells, percent } from './report.ts';

export interface NamedTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export function tablesOf(result: DemoResult): NamedTable[] {
  const { live, clickRates, freshnessMs, books } = result;
  const perDecision = (total: number): string => (total / live.decisions).toFixed(2);
  return [
    {
      title: 'Open Bandit Dataset: what its random log says of other policies',
      head: ['policy', 'IPS', 'SNIPS', 'effective sample', '95% interval of SNIPS (asymptotic), or why there is none'],
      rows: result.offPolicy.map(offPolicyCells),
    },
    {
      title: 'Click rates that the two logs really had',
      head: ['log', 'click rate'],
      rows: [
        ['uniform random', percent(clickRates.random)],
        ['Bernoulli Thompson sampling', percent(clickRates.bts)],
      ],
    },
    {
      title: `Live: ${live.decisions} decisions, ${live.rewardsSent} reward records (${result.log} log, ${result.partitions} partitions)`,
      head: ['figure', 'value'],
      rows: [
        ['expected value a user, as dealt', perDecision(live.expected.dealt)],
        ['… always the best coupon', perDecision(live.expected.best)],
        ['… coupons at random', perDecision(live.expected.random)],
        ['regret a user', perDecision(live.expected.best - live.expected.dealt)],
        ['regret a user at random', perDecision(live.expected.best - live.expected.random)],
        ['coupons dealt', BALANCED_COUPONS.map(({ armId }, arm) => `${armId} ${live.byArm[arm]}`).join(', ')],
        ['reasons', [...live.byReason].map(([reason, n]) => `${reason} ${n}`).join(', ')],
        ['snapshot versions decided from', `${live.snapshotVersions.distinct}, the last ${live.snapshotVersions.last}`],
        ...result.snapshots.map(({ experimentId, version, published }) => [
          `snapshots of ${experimentId}`,
          `${published}, the last ${version}`,
        ]),
        [
          'reward sent to snapshot held, p50 / p99',
          `${ms(freshnessMs.p50)} / ${ms(freshnessMs.p99)} of ${freshnessMs.measured}`,
        ],
        ['killed to next snapshot', ms(result.recoveryMs)],
      ],
    },
    {
      title: 'The same digest by every road',
      head: ['road', 'experiment', 'digest'],
      rows: result.digests.map(({ road, experimentId, digest }) => [road, experimentId, digest.slice(0, 16)]),
    },
    {
      title: 'The books: every event stands in one column',
      head: ['in', 'joined', 'pending', 'expired', 'unmatched', 'duplicate', 'crowded', 'dead-lettered', 'unaccounted'],
      rows: [
        [
          books.in,
          books.joined,
          books.pending,
          books.expired,
          books.unmatched,
          books.duplicate,
          books.crowded,
          books.deadLettered,
          books.unaccounted,
        ],
      ],
    },
    {
      title: 'Checks',
      head: ['check', 'value', 'unit', 'limit', 'holds'],
      rows: result.bars.map(({ name, value, unit, limit, holds }) => [
        name,
        Number(value.toPrecision(6)),
        unit,
        limit,
        holds ? 'yes' : 'NO',
      ]),
    },
  ];
}

function ms(value: number | null): string {
  return value === null ? '-' : `${Math.round(value)} ms`;
}
