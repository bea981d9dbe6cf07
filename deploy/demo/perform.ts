/**
 * The demo's four acts: (a) a backfill of real decisions, (b) live decisions with late and revised rewards, (c) a kill in
 * the middle and the proof that it left no trace, (d) the books.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Codecs } from '../../services/contracts/codec.ts';
import { parseExperimentFile } from '../../services/contracts/experiment-file.ts';
import type { TopicNames } from '../../services/contracts/keys.ts';
import { flooredProbabilities } from '../../services/core/deciding/decide.ts';
import { serve } from '../../services/core/deciding/served.ts';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import { rethrow } from '../../services/core/errors.ts';
import type { ExperimentId } from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import { allPolicies } from '../../services/core/policies/registry.ts';
import { ExperimentStore } from '../../services/platform/experiment-store.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { AppendRecord } from '../../services/platform/log/port.ts';
import { startProgress } from '../../services/platform/progress.ts';
import { inputEnds } from '../../services/replay/span.ts';
import { DeciderClient } from './decider-client.ts';
import { COUPON, type LiveResult, playLive } from './live.ts';
import {
  clickRate,
  evaluateOffPolicy,
  type LoggedImpression,
  type OffPolicyRow,
  OPEN_BANDIT,
  readOpenBandit,
  toDecision,
  toReward,
} from './open-bandit.ts';
import {
  type Books,
  booksOf,
  copyTallies,
  type Digests,
  digestsOf,
  eventsOnLog,
  replayAll,
  replayOver,
} from './proofs.ts';
import { atLeast, atMost, type Bar, exactly, quantile } from './report.ts';
import { type RunningLearner, type Stage, topicsOf } from './stage.ts';
import { Watch } from './watch.ts';

export interface PerformOptions {
  readonly decisions: number;
  readonly rate: number;
  readonly seed: number;
  say(line: string): void;
}

export interface DemoResult {
  readonly bars: readonly Bar[];
  readonly log: 'kafka' | 'embedded';
  readonly partitions: number;
  readonly offPolicy: readonly OffPolicyRow[];
  readonly clickRates: { readonly random: number; readonly bts: number };
  readonly live: LiveResult;
  readonly freshnessMs: { readonly p50: number | null; readonly p99: number | null; readonly measured: number };
  readonly recoveryMs: number;
  readonly snapshots: readonly {
    readonly experimentId: string;
    readonly version: number;
    readonly published: number;
  }[];
  readonly digests: readonly { readonly road: string; readonly experimentId: string; readonly digest: string }[];
  readonly books: Books;
}

const BACKFILL_BATCH = 500;
const SETTLE_MS_MAX = 60_000;
const OTHER_PARTITIONS = [1, 4, 7];

export async function perform(stage: Stage, options: PerformOptions): Promise<DemoResult> {
  const performance = new Performance(stage, options);
  await performance.open();
  try {
    return await performance.play();
  } finally {
    await performance.close();
  }
}

class Performance {
  private readonly stage: Stage;
  private readonly options: PerformOptions;
  private readonly topics: TopicNames;
  private readonly codecs: Codecs;
  private readonly live: Watch;
  private readonly undisturbed: Watch;
  private readonly rebuilt: Watch;
  private readonly experiments = new Map<ExperimentId, Experiment>();
  private learner: RunningLearner | null = null;
  private recoveryMs = 0;

  constructor(stage: Stage, options: PerformOptions) {
    this.stage = stage;
    this.options = options;
    this.topics = topicsOf(stage.prefix, 'live');
    this.codecs = stage.codecs(this.topics);
    const shadow = topicsOf(stage.prefix, 'undisturbed');
    this.live = new Watch(stage.log, this.topics, this.codecs);
    this.undisturbed = new Watch(stage.log, shadow, stage.codecs(shadow));
    const copy = topicsOf(stage.prefix, 'rebuilt');
    this.rebuilt = new Watch(stage.log, copy, stage.codecs(copy));
  }

  async open(): Promise<void> {
    await this.define();
    await Promise.all([this.live.start(), this.undisturbed.start(), this.rebuilt.start()]);
    this.learner = await this.stage.startLearner('live', 'empty');
    await this.stage.startLearner('undisturbed', 'empty');
  }

  async close(): Promise<void> {
    await Promise.all([this.live.stop(), this.undisturbed.stop(), this.rebuilt.stop()]);
  }

  async play(): Promise<DemoResult> {
    const impressions = await readOpenBandit('random');
    const clickRates = { random: clickRate(impressions), bts: clickRate(await readOpenBandit('bts')) };
    await this.backfill(impressions);
    const learned = this.live.snapshots.get(OPEN_BANDIT)!;
    const offPolicy = evaluateOffPolicy(impressions, this.experiments.get(OPEN_BANDIT)!, this.probabilities(learned));
    const live = await this.playLive();
    const books = await this.settle();
    const digests = await this.digests();
    const { freshnessMs } = this.live;
    return {
      bars: [
        ...this.learningBars(impressions, learned, offPolicy, clickRates.random),
        ...liveBars(live, this.options.decisions),
        ...digestBars(digests),
        exactly(
          'events on the log less events in the books',
          (await eventsOnLog(this.stage.log, this.topics)) - books.in,
          0,
          'events',
        ),
        exactly(
          'in - (joined + pending + expired + unmatched + duplicate + crowded + dead-lettered)',
          books.unaccounted,
          0,
          'events',
        ),
      ],
      log: this.stage.kind,
      partitions: this.stage.partitions,
      offPolicy,
      clickRates,
      live,
      freshnessMs: { p50: quantile(freshnessMs, 0.5), p99: quantile(freshnessMs, 0.99), measured: freshnessMs.length },
      recoveryMs: this.recoveryMs,
      snapshots: [...this.live.snapshots.values()].map(({ experimentId, version }) => ({
        experimentId,
        version,
        published: this.live.seen.get(experimentId)!,
      })),
      digests,
      books,
    };
  }

  private async define(): Promise<void> {
    const file = 'deploy/demo/experiments.yaml';
    const text = await readFile(fileURLToPath(new URL('experiments.yaml', import.meta.url)), 'utf8');
    const store = new ExperimentStore({
      log: this.stage.log,
      topic: this.topics.experiments,
      codec: this.codecs.experiment,
      onRefused: rethrow,
    });
    for (const experiment of parseExperimentFile(file, text, allPolicies())) {
      const { after } = await store.apply(experiment);
      this.experiments.set(after.id, after);
    }
  }

  private async backfill(impressions: readonly LoggedImpression[]): Promise<void> {
    this.options.say(
      `(a) Backfill: ${impressions.length} logged decisions of the Open Bandit Dataset and their clicks`,
    );
    const progress = startProgress({
      label: 'backfill',
      total: impressions.length,
      unit: 'decisions',
      to: process.stderr,
    });
    const writer = this.stage.log.writer();
    for (let from = 0; from < impressions.length; from += BACKFILL_BATCH) {
      const batch = impressions.slice(from, from + BACKFILL_BATCH);
      const decisions = batch
        .map(toDecision)
        .map((decision) => this.record(decision, this.codecs.decision.encode(decision)));
      const rewards = batch
        .map(toReward)
        .filter((reward) => reward !== null)
        .map((reward) => this.record(reward, this.codecs.reward.encode(reward)));
      for (const [topic, records] of [
        [this.topics.decisions, decisions],
        [this.topics.rewards, rewards],
      ] as const) {
        for (const [partition, part] of Map.groupBy(records, ({ key }) => partitionOf(key, this.stage.partitions))) {
          await writer.append({ topic, partition }, part);
        }
      }
      progress.update(from + batch.length);
    }
    progress.stop();
    await writer.close();
    await this.live.learned(await inputEnds(this.stage.log, this.topics));
    await this.live.until(() => pulls(this.live.snapshots.get(OPEN_BANDIT)) === impressions.length);
  }

  private record(event: { readonly unitId: string }, value: Buffer): AppendRecord & { key: string } {
    return { key: event.unitId, value };
  }

  private probabilities(snapshot: ParametersSnapshot): Float64Array {
    const experiment = this.experiments.get(snapshot.experimentId)!;
    const policy = serve(experiment, snapshot).policies.get(experiment.policies[0]!.kind)!;
    return flooredProbabilities(policy, new Float64Array(), [...experiment.arms.keys()], experiment.floor);
  }

  private async playLive(): Promise<LiveResult> {
    const { decisions, rate, seed, say } = this.options;
    say(`(b) Live: ${decisions} decisions for simulated users; a simulated day lasts 300 ms, so that 30 days are 9 s`);
    const client = new DeciderClient(await this.stage.startDecider());
    const progress = startProgress({ label: 'live', total: decisions, unit: 'decisions', to: process.stderr });
    try {
      return await playLive({
        log: this.stage.log,
        topics: this.topics,
        codecs: this.codecs,
        partitions: this.stage.partitions,
        client,
        decisions,
        decisionsPerSecond: rate,
        seed,
        onHalfTime: () => this.killLearner(),
        onProgress: (done) => progress.update(done),
        onReward: (sent) => this.live.awaitReward(sent),
      });
    } finally {
      progress.stop();
      client.close();
    }
  }

  private async killLearner(): Promise<void> {
    this.options.say('(c) The learner is killed without warning, and started again');
    const killedAtMs = Date.now();
    this.live.measureFreshness(false);
    await this.learner!.kill();
    const version = this.live.snapshots.get(COUPON)?.version ?? 0;
    this.learner = await this.stage.startLearner('live', 'kept');
    await this.live.until(() => (this.live.snapshots.get(COUPON)?.version ?? 0) > version);
    this.recoveryMs = Date.now() - killedAtMs;
    this.live.measureFreshness(true);
  }

  private async settle(): Promise<Books> {
    this.options.say('(d) Every event is waited for, and the books are drawn up');
    const ends = await inputEnds(this.stage.log, this.topics);
    await Promise.all([this.live.learned(ends), this.undisturbed.learned(ends)]);
    return booksOf(this.live.counts());
  }

  /** The same digests by every road from the same log. */
  private async digests(): Promise<DemoResult['digests']> {
    const { log } = this.stage;
    this.options.say('(c) The log is learned again, by every road');
    const replayed = digestsOf((await replayAll(log, this.topics, this.codecs)).snapshots);
    await Promise.race([
      Promise.all([
        this.live.until(() => same(replayed, this.live)),
        this.undisturbed.until(() => same(replayed, this.undisturbed)),
      ]),
      // Digests that never agree are what the demo is there to show; the bars say so.
      new Promise((resolve) => setTimeout(resolve, SETTLE_MS_MAX).unref()),
    ]);
    const roads: [string, Digests][] = [
      ['killed in the middle and started again', digestsOf(this.live.snapshots)],
      ['never disturbed', digestsOf(this.undisturbed.snapshots)],
      ['replayed from offset 0', replayed],
      ['rebuilt on an empty disk from the tallies', await this.rebuild()],
    ];
    for (const partitions of OTHER_PARTITIONS) {
      const over = await replayOver(log, this.topics, this.codecs, partitions);
      roads.push([
        `the same events over ${partitions} partition${partitions === 1 ? '' : 's'}`,
        digestsOf(over.snapshots),
      ]);
    }
    return roads.flatMap(([road, digests]) =>
      [...this.experiments.keys()].map((experimentId) => ({
        road,
        experimentId,
        digest: digests.get(experimentId) ?? 'none',
      })),
    );
  }

  /** @returns what a learner publishes that finds an empty disk, the live one's tallies, and no snapshot. */
  private async rebuild(): Promise<Digests> {
    const { log, prefix } = this.stage;
    const to = topicsOf(prefix, 'rebuilt');
    await copyTallies(log, { from: this.topics, to, decode: this.codecs.tally, encode: this.stage.codecs(to).tally });
    await this.stage.startLearner('rebuilt', 'empty');
    await this.rebuilt.until(() => [...this.experiments.keys()].every((id) => this.rebuilt.snapshots.has(id)));
    return digestsOf(this.rebuilt.snapshots);
  }

  private learningBars(
    impressions: readonly LoggedImpression[],
    learned: ParametersSnapshot,
    offPolicy: readonly OffPolicyRow[],
    clickRateOfRandom: number,
  ): Bar[] {
    const clicks = impressions.reduce((sum, { click }) => sum + click, 0);
    const uniform = offPolicy[0]!.result;
    const estimated = uniform.status === 'estimated' ? uniform.ips.value : Number.NaN;
    return [
      exactly('decisions learned from the dataset', pulls(learned), impressions.length, 'decisions'),
      exactly(
        'clicks learned from the dataset',
        learned.arms.reduce((sum, arm) => sum + arm.sumR, 0),
        clicks,
        'clicks',
      ),
      atMost(
        'IPS of the uniform policy less the click rate it had',
        Math.abs(estimated - clickRateOfRandom),
        1e-12,
        'clicks/decision',
      ),
    ];
  }
}

function pulls(snapshot: ParametersSnapshot | undefined): number {
  return snapshot?.arms.reduce((sum, arm) => sum + arm.pulls, 0) ?? 0;
}

function same(digests: Digests, watch: Watch): boolean {
  return [...digests].every(([experimentId, digest]) => watch.snapshots.get(experimentId)?.digest === digest);
}

function liveBars(live: LiveResult, decisions: number): Bar[] {
  const { expected, expectedLately } = live;
  return [
    exactly('live decisions', live.decisions, decisions, 'decisions'),
    atMost(
      'regret against dealing at random',
      (expected.best - expected.dealt) / (expected.best - expected.random),
      0.8,
      'ratio',
    ),
    atMost(
      'the same over the last fifth',
      (expectedLately.best - expectedLately.dealt) / (expectedLately.best - expectedLately.random),
      0.5,
      'ratio',
    ),
    atLeast('snapshot versions decided from', live.snapshotVersions.distinct, 10, 'versions'),
  ];
}

function digestBars(digests: DemoResult['digests']): Bar[] {
  return [...Map.groupBy(digests, ({ experimentId }) => experimentId)].map(([experimentId, rows]) =>
    exactly(
      `distinct digests of ${experimentId} over ${rows.length} roads`,
      new Set(rows.map((row) => row.digest)).size,
      1,
      'digests',
    ),
  );
}
