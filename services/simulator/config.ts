/** The simulator's options. */
import { choice, defineConfig, integer, list, number, text, type Values } from '../platform/config.ts';
import { ENVIRONMENTS } from './environments/catalogue.ts';
import { STEPS_MAX } from './time.ts';

const OPTIONS = {
  env: {
    env: 'CROUPIER_SIMULATE_ENV',
    type: list(),
    default: 'growth-balanced',
    unit: 'names',
    doc: `Environments, of: ${ENVIRONMENTS.map(({ name }) => name).join(', ')}`,
  },
  policies: {
    env: 'CROUPIER_SIMULATE_POLICIES',
    type: list(),
    default: 'linucb,linear-ts,beta-ts,ucb1,epsilon-greedy:epsilon=.3,random,always-first',
    unit: 'kinds',
    doc: 'Policies with their parameters as kind:name=number:name=number, half-life=STEPS or window=STEPS among them to forget; random and always-first are yardsticks',
  },
  seeds: {
    env: 'CROUPIER_SIMULATE_SEEDS',
    type: integer({ min: 1, max: 10_000 }),
    default: '1',
    doc: 'How many runs of each policy; two or more give confidence bands',
  },
  firstSeed: {
    env: 'CROUPIER_SIMULATE_FIRST_SEED',
    type: integer({ min: 0, max: 2 ** 32 - 10_001 }),
    default: '42',
    doc: 'Seed of the first run; the next ones count on from it',
  },
  users: {
    env: 'CROUPIER_SIMULATE_USERS',
    type: integer({ min: 1, max: Math.min(STEPS_MAX, 10_000_000) }),
    default: '10000',
    doc: 'How many users ask in a run, one a step',
  },
  delay: {
    env: 'CROUPIER_SIMULATE_DELAY',
    type: text(),
    default: 'none',
    doc: 'How many steps until a reward arrives: none, exponential:MEAN, log-normal:MEAN:SIGMA, or ltv-curve:STEPS_A_DAY for proxies on days 1, 3, 7, 14 and the value on day 30',
  },
  never: {
    env: 'CROUPIER_SIMULATE_NEVER',
    type: number({ min: 0, max: 1 }),
    default: '0',
    doc: 'Share of rewards that never arrive',
  },
  snapshotEvery: {
    env: 'CROUPIER_SIMULATE_SNAPSHOT_EVERY',
    type: integer({ min: 1, max: 10_000_000 }),
    default: '1',
    unit: 'users',
    doc: 'The decider gets a new snapshot after so many users',
  },
  pendingExposure: {
    env: 'CROUPIER_SIMULATE_PENDING_EXPOSURE',
    type: choice('yes', 'no'),
    default: 'yes',
    doc: 'Whether the decider counts what it has dealt since the snapshot into policies that deal one arm to all alike',
  },
  json: {
    env: 'CROUPIER_SIMULATE_JSON',
    type: text(),
    default: null,
    unit: 'file',
    doc: 'Write all figures there',
  },
  html: {
    env: 'CROUPIER_SIMULATE_HTML',
    type: text(),
    default: null,
    unit: 'file',
    doc: 'Write a report with charts there: one file, no network',
  },
} as const;

export const SIMULATE_CONFIG = defineConfig(OPTIONS);
export type SimulateValues = Values<typeof OPTIONS>;
