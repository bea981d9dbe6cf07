/**
 * Events for learners on a real cluster, and what must have become of them. Owns its writer and the number of steps sent.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Unavailable } from '../../services/core/errors.ts';
import type { ArmId, ExperimentId, PerStream } from '../../services/core/events.ts';
import { type Counts, unaccounted } from '../../services/core/learning/counts.ts';
import { reflectedBy } from '../../services/core/learning/tally.ts';
import { partitionOf } from '../../services/platform/log/partitioner.ts';
import type { AppendRecord, LogWriter } from '../../services/platform/log/port.ts';
import { MemoryStore } from '../../services/platform/store/memory.ts';
import { replay } from '../../services/replay/replay.ts';
import { inputEnds } from '../../services/replay/span.ts';
import { decision, reward } from './core.ts';
import type { Installation } from './installation.ts';

/** Its definition is deploy/examples/home-banner.yaml. */
export const BANNER = 'home-banner' as ExperimentId;
const ARMS = ['summer', 'autumn', 'plain'];
const DAY_MS = 86_400_000;
const LIMITS = { windowMs: 30 * DAY_MS, graceMs: DAY_MS, earlyGraceMs: DAY_MS, unitEventsMax: 200, unitSpanMs: DAY_MS };
const UNITS = 997;
const RETRY_MS = 200;
const BURST_STEPS = 100;
const BURST_PAUSE_MS = 50;

type Input = { readonly topic: 'decisions' | 'rewards'; readonly unit: string; readonly value: Buffer };

export class Load {
  private readonly installation: Installation;
  private readonly partitions: number;
  private readonly writer: LogWriter;
  private sent: number;

  /** @param firstStep the same steps are the same events. */
  constructor(installation: Installation, partitions: number, firstStep = 0) {
    this.installation = installation;
    this.sent = firstStep;
    this.partitions = partitions;
    this.writer = installation.log.writer();
  }

  /** Sends the events of so many steps more; what the log did not acknowledge it sends again. */
  async send(steps: number): Promise<void> {
    const first = this.sent;
    this.sent += steps;
    const byPlace = Map.groupBy(
      Array.from({ length: steps }, (_, i) => this.inputsOf(first + i)).flat(),
      ({ topic, unit }) => `${topic}/${partitionOf(unit, this.partitions)}`,
    );
    for (const [place, inputs] of byPlace) {
      const [topic, partition] = place.split('/') as ['decisions' | 'rewards', string];
      const records = inputs.map(({ unit, value }): AppendRecord => ({ key: unit, value }));
      await this.append(this.installation.topics[topic], Number(partition), records);
    }
  }

  /** Sends without end. @returns what ends it. */
  keepSending(): () => Promise<void> {
    let goesOn = true;
    const run = async (): Promise<void> => {
      while (goesOn) {
        await this.send(BURST_STEPS);
        await delay(BURST_PAUSE_MS);
      }
    };
    const done = run();
    return async () => {
      goesOn = false;
      await done;
    };
  }

  /** @returns the books, once they tell of all that is on the log. */
  async learned(topics = this.installation.topics): Promise<Counts> {
    const ends = await inputEnds(this.installation.log, topics);
    const events = ends.reduce((sum, { decisions, rewards }) => sum + decisions + rewards, 0);
    return this.installation.booksOf(events, topics);
  }

  /** Waits until all is learned and published. @returns what is not as a replay of the log has it. */
  async contradictions(): Promise<string[]> {
    const { log, topics, codecs } = this.installation;
    const counts = await this.learned();
    const truth = await replay({
      log,
      topics,
      codecs,
      limits: LIMITS,
      pollRecordsMax: 5_000,
      openStore: async () => new MemoryStore(),
    });
    const { digest } = truth.snapshots.get(BANNER)!;
    const wrong: string[] = [];
    if ((await this.publishedDigest(digest)) !== digest) wrong.push('the last snapshot is not what a replay builds');
    if (JSON.stringify(counts) !== JSON.stringify(truth.counts)) {
      wrong.push(`the books say ${JSON.stringify(counts)}, a replay says ${JSON.stringify(truth.counts)}`);
    }
    if (unaccounted(counts, 'decisions') !== 0 || unaccounted(counts, 'rewards') !== 0) {
      wrong.push(`the books do not add up: ${JSON.stringify(counts)}`);
    }
    return [...wrong, ...(await this.stepsBack())];
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  /** The tallies are there before the snapshot is: it may come a moment later. @returns the last one's, in the end. */
  async publishedDigest(wanted: string): Promise<string | undefined> {
    const { topics, codecs } = this.installation;
    for (let looks = 0; ; looks++) {
      const records = (await this.installation.recordsOf(topics.snapshots)).filter(({ value }) => value !== null);
      const last = records.at(-1);
      const digest = last === undefined ? undefined : codecs.snapshot.decode(last.value!).digest;
      if (digest === wanted || looks === 25) return digest;
      await delay(RETRY_MS);
    }
  }

  /** @returns the keys after whose newest record an older one came, which compaction would keep. */
  private async stepsBack(): Promise<string[]> {
    const { topics, codecs } = this.installation;
    const last = new Map<string, PerStream>();
    const wrong: string[] = [];
    const see = (key: string, offsets: PerStream): void => {
      const before = last.get(key);
      if (before !== undefined && !reflectedBy(before, offsets)) {
        wrong.push(`${key} went from ${JSON.stringify(before)} back to ${JSON.stringify(offsets)}`);
      }
      last.set(key, offsets);
    };
    for (const { key, value } of await this.installation.recordsOf(topics.tallies)) {
      if (value !== null) see(key!, codecs.tally.decode(value).offsets);
    }
    for (const { value } of await this.installation.recordsOf(topics.snapshots)) {
      if (value === null) continue;
      for (const cut of codecs.snapshot.decode(value).offsets) see(`the snapshot, partition ${cut.partition},`, cut);
    }
    return wrong;
  }

  private async append(topic: string, partition: number, records: readonly AppendRecord[]): Promise<void> {
    for (;;) {
      try {
        await this.writer.append({ topic, partition }, records);
        return;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  /** Decisions of some units and what became of them: nothing, a reward, one twice, one revised, bad bytes. */
  private inputsOf(step: number): Input[] {
    const { codecs } = this.installation;
    const unit = `user-${step % UNITS}`;
    const atMs = Date.now();
    const id = String(step);
    const won = (overrides: Parameters<typeof reward>[0]): Input => {
      const event = reward({ id, unit, atMs, decision: id, metric: 'purchase', value: (step % 10) / 10, ...overrides });
      return { topic: 'rewards', unit, value: codecs.reward.encode(event) };
    };
    const slots = [{ armId: ARMS[step % ARMS.length] as ArmId, propensity: 1 / 3 }];
    const made = decision({ id, unit, atMs, slots, experimentId: BANNER });
    const dealt: Input = { topic: 'decisions', unit, value: codecs.decision.encode(made) };
    switch (step % 5) {
      case 0:
        return [dealt];
      case 1:
        return [won({}), dealt];
      case 2:
        return [dealt, dealt, won({}), won({})];
      case 3:
        return [dealt, won({}), won({ revision: 1, value: 0.5 })];
      default:
        return [dealt, { topic: 'rewards', unit, value: Buffer.from('not Avro') }];
    }
  }
}
