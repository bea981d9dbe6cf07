/**
 * The whole of a learner's promise at once: a million decisions and the hardest rewards (hard-load.ts) on a real cluster,
 * the learner killed again and again, and in the end every event in the books and the digest that the pure core has.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration } from '../../services/contracts/duration.ts';
import type { Counts } from '../../services/core/learning/counts.ts';
import { unaccounted } from '../../services/core/learning/counts.ts';
import { inputEnds } from '../../services/replay/span.ts';
import { type Bar, bar } from '../bench/bars.ts';
import { settledCounts } from '../support/core.ts';
import { type Environment, Installation } from '../support/installation.ts';
import { until } from '../support/until.ts';
import { runCore } from './core-run.ts';
import { Learners } from './faults.ts';
import { ARMS, EXPERIMENT, type Fates, HardLoad, type HardShape, hardLimits } from './hard-load.ts';
import { recoveries } from './recovery.ts';

export const MILLION: HardShape & { readonly kills: number } = {
  decisions: 1_000_000,
  partitions: 4,
  dayMs: 4_000,
  days: 60,
  kills: 3,
};

const UNDER_WAY_MS = 1_000;
const COHORT_MS_MIN = 1_000;
const SENT_MS_MAX = 3_600_000;
const LEARNED_MS_MAX = 300_000;
const PUBLISHED_LOOKS_MAX = 20;

export interface MillionOptions {
  readonly shape: HardShape;
  /** How often the learner is killed, spread over the time that sending takes. */
  readonly kills: number;
  /** @param done share of all that is to be done. */
  onProgress(done: number): void;
}

export interface MillionRun {
  readonly bars: readonly Bar[];
  readonly counts: Counts;
  readonly expected: Counts;
  readonly fates: Fates;
  readonly recoveryMs: readonly number[];
}

export async function runMillion(options: MillionOptions): Promise<MillionRun> {
  const { shape } = options;
  const folder = await mkdtemp(join(tmpdir(), 'croupier-million-'));
  const definition = join(folder, 'million.yaml');
  await writeFile(definition, definitionOf(shape));
  const { partitions } = shape;
  const installation = await Installation.create({ name: 'million', partitions, experiments: [definition] });
  const load = new HardLoad(installation, shape);
  try {
    const learners = new Learners(installation, folder, partitions, environmentOf(shape));
    await learners.start('a');
    await learners.ownAll();
    const [, lossesMs] = await Promise.all([load.send(), strike(learners, load, options)]);
    const live = await learned(installation);
    let checked = 0;
    const expected = await runCore(installation, {
      experimentId: EXPERIMENT,
      partitions,
      limits: hardLimits(shape),
      onRecords(records) {
        checked += records;
        options.onProgress((1 + checked / load.sent) / 2);
      },
    });
    const published = await isPublished(installation, expected.digest);
    await learners.stopAll();
    const recoveryMs = await recoveries(installation, lossesMs);
    const bars = barsOf({ live, expected: expected.counts, published, load, options, kills: lossesMs.length });
    return { bars, counts: live.counts, expected: expected.counts, fates: load.fates, recoveryMs };
  } finally {
    await load.close();
    await installation.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Kills the learner, each time once it is at work again. @returns when. */
async function strike(learners: Learners, load: HardLoad, { kills, onProgress }: MillionOptions): Promise<number[]> {
  const lossesMs: number[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    const isTime = async (): Promise<boolean> => {
      onProgress(load.progress / 2);
      return load.progress >= kill / (kills + 1);
    };
    await until(`${kill}/${kills + 1} of the time to send is over`, isTime, SENT_MS_MAX);
    await learners.ownAll();
    await sleep(UNDER_WAY_MS);
    learners.kill('a');
    lossesMs.push(Date.now());
    await learners.start('a');
  }
  return lossesMs;
}

interface Live {
  readonly counts: Counts;
  readonly events: number;
}

/** @returns the books, once they tell of all that is on the log. */
async function learned(installation: Installation): Promise<Live> {
  const ends = await inputEnds(installation.log, installation.topics);
  const events = ends.reduce((sum, { decisions, rewards }) => sum + decisions + rewards, 0);
  return { events, counts: await installation.booksOf(events, { waitMsMax: LEARNED_MS_MAX }) };
}

/** Looks for a digest as the last one published, which may come a moment after the books. @returns whether it does. */
async function isPublished(installation: Installation, digest: string): Promise<boolean> {
  for (let looks = 0; looks < PUBLISHED_LOOKS_MAX; looks++) {
    const records = await installation.recordsOf(installation.topics.snapshots);
    const last = records.findLast(({ value }) => value !== null);
    if (last !== undefined && installation.codecs.snapshot.decode(last.value!).digest === digest) return true;
    await sleep(UNDER_WAY_MS);
  }
  return false;
}

interface Found {
  readonly live: Live;
  readonly expected: Counts;
  /** Whether the last snapshot has the expected digest. */
  readonly published: boolean;
  readonly load: HardLoad;
  readonly options: MillionOptions;
  readonly kills: number;
}

function barsOf({ live, expected, published, load, options, kills }: Found): Bar[] {
  const { counts } = live;
  const { fates, rewards } = load;
  const [books, wanted] = [settledCounts(counts), settledCounts(expected)];
  const otherColumns = Object.keys(wanted).filter((column) => books[column] !== wanted[column]);
  const lost = Math.abs(unaccounted(counts, 'decisions')) + Math.abs(unaccounted(counts, 'rewards'));
  const share = (name: string, count: number, percent: number): Bar =>
    bar(name, (100 * count) / rewards, '% of the rewards', 'at least', percent);
  return [
    bar('decisions', options.shape.decisions, 'decisions', 'at least', options.shape.decisions),
    bar('rewards', rewards, 'rewards', 'at least', 1.4 * options.shape.decisions),
    share('appended more than a day of log time after their decision', fates.delayed, 30),
    share('appended twice', fates.twice, 10),
    share('revised', fates.revised, 10),
    share('appended before their decision', fates.early, 5),
    share('appended after window and grace', fates.late, 2),
    share('malformed', fates.malformed, 1),
    bar('times that the learner was killed', kills, 'kills', 'at least', options.kills),
    bar('events sent less events on the log', load.sent - live.events, 'events', 'at most', 0),
    bar(
      'events on the log less events in the books',
      live.events - counts.decisionsIn - counts.rewardsIn,
      'events',
      'at most',
      0,
    ),
    bar('in less all columns of the books', lost, 'events', 'at most', 0),
    bar("columns of the books other than the core's", otherColumns.length, 'columns', 'at most', 0),
    bar("digests other than the core's", published ? 0 : 1, 'digests', 'at most', 0),
  ];
}

function definitionOf(shape: HardShape): string {
  return `id: ${EXPERIMENT}
arms: [${ARMS.join(', ')}]
policy: { kind: beta-ts }
floor: 0.02
fallback: ${ARMS[0]}
reward:
  metrics:
    purchase: { fold: sum }
  min: 0
  max: 4
attribution:
  window: ${formatDuration(hardLimits(shape).windowMs)}
cohort: ${formatDuration(Math.max(COHORT_MS_MIN, shape.dayMs))}
`;
}

function environmentOf(shape: HardShape): Environment {
  const { windowMs, graceMs, earlyGraceMs, unitEventsMax, unitSpanMs } = hardLimits(shape);
  return {
    CROUPIER_JOIN_WINDOW: formatDuration(windowMs),
    CROUPIER_JOIN_GRACE: formatDuration(graceMs),
    CROUPIER_JOIN_EARLY_GRACE: formatDuration(earlyGraceMs),
    CROUPIER_JOIN_UNIT_EVENTS: String(unitEventsMax),
    CROUPIER_JOIN_UNIT_SPAN: formatDuration(unitSpanMs),
  };
}
