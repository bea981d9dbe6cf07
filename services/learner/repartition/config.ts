/** What `croupier repartition` can be told. */
import { defineConfig, duration, integer, text, type Values } from '../../platform/config.ts';
import { CONNECTION_OPTIONS } from '../../platform/connection-config.ts';
import { JOIN_OPTIONS } from '../../platform/join/limits-config.ts';

const DAY_MS = 86_400_000;

export const REPARTITION_CONFIG = defineConfig({
  ...CONNECTION_OPTIONS,
  ...JOIN_OPTIONS,
  partitions: {
    env: 'CROUPIER_REPARTITION_PARTITIONS',
    type: integer({ min: 1, max: 10_000 }),
    default: null,
    doc: 'How many decisions and rewards are to have; the same each time that the command is run again',
  },
  replication: {
    env: 'CROUPIER_REPARTITION_REPLICATION',
    type: integer({ min: 1, max: 100 }),
    default: null,
    doc: "Copies of each partition of the new topics, instead of the cluster's default",
  },
  quiet: {
    env: 'CROUPIER_REPARTITION_QUIET',
    type: duration({ minMs: 1_000, maxMs: DAY_MS }),
    default: '5m',
    doc: 'With --follow: ends when nothing has been appended to the old topics for so long',
  },
  holdBack: {
    env: 'CROUPIER_REPARTITION_HOLD_BACK',
    type: duration({ minMs: 0, maxMs: 60_000 }),
    default: '2s',
    doc: "How old an event must be to be copied: longer than brokers' clocks differ, and than an append takes",
  },
  data: {
    env: 'CROUPIER_REPARTITION_DATA',
    type: text(),
    default: '.croupier/repartition',
    unit: 'folder',
    doc: 'Where join stores are kept while what was learned is looked for',
  },
});

export type RepartitionValues = Values<(typeof REPARTITION_CONFIG)['specs']>;
