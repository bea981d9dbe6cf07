/**
 * What the decider measures, and its telling of what happens to the log of the process. Owns the metrics' names.
 * Experiments, algorithms and arms become labels only once they are known from a definition.
 */
import type { DecisionOutcome } from '../core/deciding/decide.ts';
import type { CroupierError, Unavailable } from '../core/errors.ts';
import type { Reward } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import type { BatchAppenderObserver } from '../platform/log/batch-appender.ts';
import type { Logger } from '../platform/logging.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { DeciderObserver } from './decider.ts';
import type { Served } from './served-experiments.ts';

/** What is looked at when the metrics are asked for. */
export interface Gauged {
  served(): Iterable<Served>;
  nowMs(): number;
  bufferDepth(topic: 'decisions' | 'rewards'): number;
}

const REWARD_BUCKETS = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000];
const DECISION_SECONDS_BUCKETS = [2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2];

export class Measures implements DeciderObserver {
  private readonly metrics: ReturnType<typeof register>;
  private readonly logger: Logger;

  constructor(metrics: Metrics, logger: Logger, gauged: Gauged) {
    this.metrics = register(metrics);
    this.logger = logger;
    registerGauges(metrics, gauged);
  }

  decided(outcome: DecisionOutcome, facts: { readonly estimatedRegret: number; readonly durationMs: number }): void {
    const { decision, clipped } = outcome;
    const experiment = decision.experimentId;
    const algorithm = decision.policy;
    for (const { armId: arm } of decision.slots) {
      this.metrics.decisions.inc({ experiment, algorithm, arm, reason: decision.reason });
    }
    this.metrics.regret.inc({ experiment, algorithm }, facts.estimatedRegret);
    this.metrics.seconds.observe(facts.durationMs / 1_000);
    if (clipped > 0) this.metrics.clipped.inc({ experiment }, clipped);
  }

  unlogged({ decision }: DecisionOutcome): void {
    this.metrics.unlogged.inc({ experiment: decision.experimentId, reason: 'buffer-full' });
  }

  /** @param request route or method. */
  refused(request: string, code: string): void {
    this.metrics.refused.inc({ request, code });
  }

  refusedInBatch(error: CroupierError): void {
    this.refused('one of a batch', error.code);
  }

  rewarded({ value }: Reward, learning: readonly Experiment[]): void {
    for (const { id, policies } of learning) {
      if (value !== null) this.metrics.rewards.observe({ experiment: id, algorithm: policies[0]!.kind }, value);
    }
  }

  /** Of the buffer in front of one topic. */
  appending(topic: 'decisions' | 'rewards'): BatchAppenderObserver {
    return {
      unavailable: (error) => this.away(topic, error),
      lost: (records, error) => {
        this.metrics.lost.inc({ topic, reason: error.code }, records);
        this.logger.error({ err: error, topic, records }, 'records lost');
      },
    };
  }

  /** Something is away for now; it is tried again. */
  away(what: string, error: Unavailable): void {
    this.metrics.away.inc({ what, code: error.code });
    this.logger.warn({ err: error, what }, 'unavailable, trying again');
  }

  /** A definition, snapshot or mirrored record that cannot be used; the last good one stays. */
  unusable(what: string, error: CroupierError): void {
    this.metrics.unusable.inc({ what, code: error.code });
    this.logger.error({ err: error, what }, 'cannot be used, the last good one stays');
  }
}

function register(metrics: Metrics) {
  return {
    decisions: metrics.counter({
      name: 'mab_decisions_total',
      help: 'Arms dealt, one for each slot of a decision, by why.',
      labelNames: ['experiment', 'algorithm', 'arm', 'reason'],
    }),
    regret: metrics.counter({
      name: 'mab_cumulative_regret',
      help:
        "Estimate: the best eligible arm's mean reward less the dealt arm's, by the snapshot decided from, added up; " +
        'raw reward units. An arm without rewards counts as the best.',
      labelNames: ['experiment', 'algorithm'],
    }),
    rewards: metrics.histogram({
      name: 'mab_reward_distribution',
      help: 'Raw reward values taken, for each experiment that learns from them; algorithm is its first.',
      labelNames: ['experiment', 'algorithm'],
      buckets: REWARD_BUCKETS,
    }),
    seconds: metrics.histogram({
      name: 'croupier_decider_decision_seconds',
      help: 'Time to decide, from the request parsed to the decision buffered.',
      buckets: DECISION_SECONDS_BUCKETS,
    }),
    clipped: metrics.counter({
      name: 'croupier_decider_clipped_features_total',
      help: 'Numbers of contexts that were cut to the feature range.',
      labelNames: ['experiment'],
    }),
    unlogged: metrics.counter({
      name: 'croupier_decider_unlogged_decisions_total',
      help: 'Fallback arms dealt without a decision event, since it could not be buffered.',
      labelNames: ['experiment', 'reason'],
    }),
    refused: metrics.counter({
      name: 'croupier_decider_refused_total',
      help: 'Requests answered with an error, by code.',
      labelNames: ['request', 'code'],
    }),
    lost: metrics.counter({
      name: 'croupier_decider_lost_records_total',
      help: 'Buffered events that never reached the log.',
      labelNames: ['topic', 'reason'],
    }),
    away: metrics.counter({
      name: 'croupier_decider_unavailable_total',
      help: 'Tries at log, registry, Redis or disk that failed and are repeated.',
      labelNames: ['what', 'code'],
    }),
    unusable: metrics.counter({
      name: 'croupier_decider_unusable_total',
      help: 'Definitions, snapshots and mirrored records that could not be used.',
      labelNames: ['what', 'code'],
    }),
  };
}

function registerGauges(metrics: Metrics, gauged: Gauged): void {
  metrics.gauge({
    name: 'croupier_decider_snapshot_version',
    help: 'Version of the snapshot served: the input events that it reflects.',
    labelNames: ['experiment'],
    collect() {
      this.reset();
      for (const { deciding, held } of gauged.served()) {
        if (held !== null) this.set({ experiment: deciding.experiment.id }, held.snapshot.version);
      }
    },
  });
  metrics.gauge({
    name: 'croupier_decider_snapshot_age_seconds',
    help: 'Time since the snapshot served was appended to the log.',
    labelNames: ['experiment'],
    collect() {
      this.reset();
      for (const { deciding, held } of gauged.served()) {
        if (held === null) continue;
        this.set({ experiment: deciding.experiment.id }, (gauged.nowMs() - held.appendTimeMs) / 1_000);
      }
    },
  });
  metrics.gauge({
    name: 'croupier_decider_pending_exposures',
    help: 'Decisions remembered until a snapshot reflects them, where a policy counts them meanwhile.',
    labelNames: ['experiment'],
    collect() {
      this.reset();
      for (const { deciding, pending } of gauged.served()) {
        if (pending !== null && pending.size > 0) this.set({ experiment: deciding.experiment.id }, pending.size);
      }
    },
  });
  metrics.gauge({
    name: 'croupier_decider_buffer_depth',
    help: 'Events that wait for the log.',
    labelNames: ['topic'],
    collect() {
      for (const topic of ['decisions', 'rewards'] as const) this.set({ topic }, gauged.bufferDepth(topic));
    },
  });
}
