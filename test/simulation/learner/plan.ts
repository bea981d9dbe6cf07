/**
 * What happens in one run: the installation, the events, the faults. A pure function of the seed, and plain data, so
 * that a failing plan can be made smaller, kept in a file and run again.
 */
import { type Random, seededRandom } from '../../../services/core/random.ts';

export interface Plan {
  /** Of the schedule: latencies, and which calls fail. */
  readonly seed: number;
  readonly partitions: number;
  readonly talliesPartitions: number;
  readonly learners: number;
  readonly settings: {
    readonly commitIntervalMs: number;
    readonly publishIntervalMs: number;
    readonly sessionTimeoutMs: number;
    readonly pollRecordsMax: number;
    readonly publishEventsMin: number;
    readonly publishWaitMsMax: number;
    readonly rollUpAgeMs: number;
    /** More events of a unit within some seconds of its log are only counted. */
    readonly unitEventsMax: number;
  };
  readonly rates: Rates;
  readonly events: readonly EventSpec[];
  /** Learned last, by a single learner on an empty disk, from topics that were compacted. */
  readonly epilogue: readonly EventSpec[];
  readonly faults: readonly Fault[];
}

/** Probabilities that a call fails. */
export interface Rates {
  /** Appended, but the answer is lost. */
  readonly lostAnswer: number;
  /** Not appended, or much later. */
  readonly lostAppend: number;
  /** Any other call of the log. */
  readonly unavailable: number;
  /** The disk refuses a commit. */
  readonly commitRefused: number;
}

interface Timed {
  /** Since the event before it, on the schedule. */
  readonly waitMs: number;
  /** How far the log's clock moves; below zero when it is set back. */
  readonly gapMs: number;
}

export type EventSpec = Timed &
  (
    | {
        readonly kind: 'decision';
        readonly id: string;
        readonly unit: string;
        readonly experiment: number;
        readonly arm: string;
        /** Its own clock, from the log's. */
        readonly skewMs: number;
        readonly shadow: boolean;
        /** Names a version that there never was. */
        readonly unknownVersion: boolean;
      }
    | {
        readonly kind: 'reward';
        readonly id: string;
        readonly unit: string;
        readonly revision: number;
        readonly value: number | null;
        readonly decision: string | null;
        readonly experiment: number | null;
        readonly skewMs: number;
      }
    | { readonly kind: 'garbage'; readonly topic: 'decisions' | 'rewards'; readonly unit: string }
    | { readonly kind: 'define'; readonly experiment: number; readonly change: 'arm' | 'floor' }
    /** A candidate with other rewards, attribution and cohorts takes over, promoted by so many at once. */
    | { readonly kind: 'promote'; readonly experiment: number; readonly variant: number; readonly people: number }
  );

/** What a learner finds on its disk when it begins again. `older`: its last commits are lost; `torn`: unreadable. */
export type Disk = 'kept' | 'older' | 'torn' | 'empty';

export type Fault = { readonly atMs: number } & (
  | { readonly kind: 'kill'; readonly learner: number; readonly downMs: number; readonly disk: Disk }
  | { readonly kind: 'stop'; readonly learner: number; readonly downMs: number }
  | { readonly kind: 'freeze'; readonly learner: number; readonly forMs: number }
  | { readonly kind: 'away'; readonly learner: number; readonly forMs: number }
  | { readonly kind: 'slow'; readonly learner: number; readonly topic: SlowTopic; readonly forMs: number }
  | { readonly kind: 'disk-full'; readonly learner: number; readonly forMs: number }
  | { readonly kind: 'compact'; readonly topic: 'tallies' | 'snapshots' | 'experiments' }
  | { readonly kind: 'decider'; readonly forMs: number }
  | { readonly kind: 'operators'; readonly downMs: number }
  /** Every second one of them. */
  | { readonly kind: 'operators-freeze'; readonly which: number; readonly forMs: number }
);
export type SlowTopic = 'decisions' | 'rewards' | 'tallies' | 'experiments';

export const EXPERIMENTS = 4;
/** Other definitions of an experiment. */
const VARIANTS = 11;
const YEAR_MS = 365 * 86_400_000;
const UNITS = 8;

export function planOf(seed: number): Plan {
  const chance = new Chance(seededRandom(seed));
  const learners = chance.among([1, 2, 2, 3]);
  const calm = chance.happens(0.3);
  const count = chance.whole(20, 110);
  const events = eventsOf(chance, count);
  const spanMs = events.reduce((sum, { waitMs }) => sum + waitMs, 0);
  return {
    seed,
    partitions: chance.among([1, 1, 2, 3]),
    talliesPartitions: chance.among([1, 2]),
    learners,
    settings: {
      commitIntervalMs: chance.among([8, 20, 40]),
      publishIntervalMs: chance.among([5, 15]),
      sessionTimeoutMs: 60,
      pollRecordsMax: chance.among([1, 3, 10, 50]),
      unitEventsMax: chance.among([200, 200, 3]),
      publishEventsMin: chance.among([1, 1, 5]),
      publishWaitMsMax: 50,
      rollUpAgeMs: chance.among([YEAR_MS, YEAR_MS, 3_000, 8_000]),
    },
    rates: {
      lostAnswer: calm ? 0 : chance.among([0, 0.02, 0.1]),
      lostAppend: calm ? 0 : chance.among([0, 0.02, 0.1]),
      unavailable: calm ? 0 : chance.among([0, 0.01]),
      commitRefused: calm ? 0 : chance.among([0, 0.03]),
    },
    events: events.slice(0, -Math.ceil(count / 5)),
    epilogue: events.slice(-Math.ceil(count / 5)),
    faults: [
      ...Array.from({ length: chance.among([0, 1, 2, 4, 7, 12, 24]) }, () => faultOf(chance, learners, spanMs)),
      ...faultsOfOperators(chance, events),
    ],
  };
}

function eventsOf(chance: Chance, count: number): EventSpec[] {
  const events: EventSpec[] = [];
  // Few ids and units: repeats, revisions and contested rewards are the rule.
  const ids = Math.ceil(count / 3);
  for (let i = 0; i < count; i++) {
    const timed = { waitMs: chance.among([0, 0, 1, 4, 12]), gapMs: gapOf(chance) };
    const again = i > 0 && chance.happens(0.12) ? events[chance.whole(0, i - 1)]! : null;
    // Promotions come together: the next while partitions are restored because of the last.
    if (events.at(-1)?.kind === 'promote' && chance.happens(0.4)) events.push({ ...timed, ...promotionOf(chance) });
    events.push(
      again !== null && again.kind !== 'define' && again.kind !== 'promote'
        ? { ...again, ...timed }
        : { ...timed, ...eventOf(chance, ids) },
    );
  }
  return events;
}

function gapOf(chance: Chance): number {
  if (chance.happens(0.01)) return chance.among([YEAR_MS, -YEAR_MS, -3_000]);
  return chance.among([0, 1, 7, 37, 37, 200, 499, 500, 501, 1_000, 1_999, 2_501, 3_000]);
}

type Untimed<T> = T extends unknown ? Omit<T, keyof Timed> : never;

function eventOf(chance: Chance, ids: number): Untimed<EventSpec> {
  const unit = `u${chance.whole(0, UNITS - 1)}`;
  const experiment = chance.whole(0, EXPERIMENTS - 1);
  const draw = chance.real();
  if (draw < 0.45) {
    return {
      kind: 'decision',
      id: `d${chance.whole(1, ids)}`,
      unit,
      experiment,
      arm: chance.among(['A', 'B', 'B', 'C']),
      skewMs: chance.among([0, 0, -5, -40, -600, 700, 10 * YEAR_MS]),
      shadow: chance.happens(0.05),
      unknownVersion: chance.happens(0.03),
    };
  }
  if (draw < 0.92) {
    return {
      kind: 'reward',
      id: `r${chance.whole(1, ids)}`,
      unit,
      revision: chance.among([0, 0, 1, 2, 5]),
      value: chance.among([0.1, 0.5, 1, 2, 99, null]),
      decision: chance.happens(0.3) ? `d${chance.whole(1, ids)}` : null,
      experiment: chance.happens(0.2) ? experiment : null,
      skewMs: chance.among([0, 5, -5, -40, -600, -1_999, 700]),
    };
  }
  if (draw < 0.97) return { kind: 'garbage', topic: chance.among(['decisions', 'rewards']), unit };
  if (draw < 0.985)
    return { kind: 'promote', experiment, variant: chance.whole(1, VARIANTS), people: chance.among([1, 2]) };
  return { kind: 'define', experiment, change: chance.among(['arm', 'floor']) };
}

function promotionOf(chance: Chance): Untimed<Extract<EventSpec, { kind: 'promote' }>> {
  return {
    kind: 'promote',
    experiment: chance.whole(0, EXPERIMENTS - 1),
    variant: chance.whole(1, VARIANTS),
    people: chance.among([1, 2]),
  };
}

function faultOf(chance: Chance, learners: number, spanMs: number): Fault {
  const atMs = chance.whole(0, Math.ceil(spanMs * 1.2) + 50);
  const learner = chance.whole(0, learners - 1);
  const forMs = chance.among([10, 40, 90, 200]);
  const kind = chance.among([
    'kill',
    'kill',
    'kill',
    'kill',
    'stop',
    'freeze',
    'freeze',
    'freeze',
    'freeze',
    'away',
    'slow',
    'slow',
    'disk-full',
    'compact',
    'compact',
    'decider',
  ] as const);
  switch (kind) {
    case 'kill':
      return {
        atMs,
        kind,
        learner,
        downMs: chance.among([0, 5, 50, 150]),
        disk: chance.among(['kept', 'older', 'torn', 'empty']),
      };
    case 'stop':
      return { atMs, kind, learner, downMs: chance.among([5, 50, 150]) };
    case 'compact':
      return { atMs, kind, topic: chance.among(['tallies', 'tallies', 'snapshots', 'experiments']) };
    case 'slow':
      return { atMs, kind, learner, topic: chance.among(['decisions', 'rewards', 'tallies', 'experiments']), forMs };
    case 'decider':
      return { atMs, kind, forMs };
    default:
      return { atMs, kind, learner, forMs };
  }
}

/** While they are at work, which is not for long. */
function faultsOfOperators(chance: Chance, events: readonly EventSpec[]): Fault[] {
  let nowMs = 0;
  return events.flatMap(({ kind, waitMs }): Fault[] => {
    nowMs += waitMs;
    if (kind !== 'promote' && kind !== 'define') return [];
    const atMs = nowMs + chance.whole(0, 120);
    const draw = chance.real();
    if (draw < 0.3) return [{ atMs, kind: 'operators', downMs: chance.among([0, 5, 50]) }];
    if (draw < 0.6)
      return [{ atMs, kind: 'operators-freeze', which: chance.whole(0, 1), forMs: chance.among([40, 90, 200]) }];
    return [];
  });
}

/** Draws of the kinds that plans need. */
class Chance {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  real(): number {
    return this.random.next();
  }

  happens(probability: number): boolean {
    return this.random.next() < probability;
  }

  /** In from … to, both included. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.random.next() * (to - from + 1));
  }

  among<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random.next() * choices.length)]!;
  }
}
