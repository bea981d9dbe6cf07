/**
 * Reads one partition of both input topics as parsed events. Owns its log reader and the positions in it.
 */
import type { TopicNames } from '../../contracts/keys.ts';
import { Corrupt } from '../../core/errors.ts';
import { AT_START, type PerStream, STREAMS, type Stream } from '../../core/events.ts';
import type { Log, LogReader, RecordBatch } from '../log/port.ts';
import { type InputCodecs, type InputRecord, parseBatch, streamOf } from './input.ts';

export interface InputReaderOptions {
  readonly log: Log;
  readonly topics: TopicNames;
  readonly partition: number;
  /** How many each input topic has. */
  readonly partitions: number;
  readonly codecs: InputCodecs;
  readonly pollRecordsMax: number;
}

export class InputReader {
  private readonly options: InputReaderOptions;
  private readonly reader: LogReader;
  private positions: PerStream = AT_START;

  /** @param from offsets to read next. */
  constructor(options: InputReaderOptions, from: PerStream) {
    this.options = options;
    this.reader = options.log.reader();
    this.moveTo(from);
  }

  /** @returns what came next in either stream, each in its order; empty when nothing came within the wait. */
  async read(waitMsMax: number): Promise<InputRecord[]> {
    const batches = await this.reader.poll({ maxRecords: this.options.pollRecordsMax, waitMsMax });
    return this.parse(batches);
  }

  /**
   * Yields everything below the cut and nothing from it on, then stands at the cut.
   * @throws Corrupt when the log ends below the cut.
   */
  async *readUpTo(cut: PerStream, waitMsMax: number): AsyncGenerator<InputRecord[]> {
    await this.assertReachable(cut);
    while (STREAMS.some((stream) => this.positions[stream] < cut[stream])) {
      const records = await this.read(waitMsMax);
      yield records.filter((input) => input.record.offset < cut[input.stream]);
    }
    this.moveTo(cut);
  }

  async close(): Promise<void> {
    await this.reader.close();
  }

  private async parse(batches: readonly RecordBatch[]): Promise<InputRecord[]> {
    const records: InputRecord[] = [];
    for (const batch of batches) {
      const stream = streamOf(batch.topic, this.options.topics);
      records.push(...(await parseBatch(batch, { ...this.options, stream })));
      this.positions = { ...this.positions, [stream]: batch.nextOffset };
    }
    return records;
  }

  private moveTo(offsets: PerStream): void {
    this.positions = offsets;
    this.reader.assign(
      STREAMS.map((stream) => ({
        topic: this.topicOf(stream),
        partition: this.options.partition,
        offset: offsets[stream],
      })),
    );
  }

  private async assertReachable(cut: PerStream): Promise<void> {
    for (const stream of STREAMS) {
      const topic = this.topicOf(stream);
      const end = (await this.options.log.admin.offsets(topic))[this.options.partition]?.end ?? 0;
      if (end >= cut[stream]) continue;
      throw new Corrupt(
        'log-too-short',
        `${topic}/${this.options.partition} ends at ${end}, expected at least ${cut[stream]}`,
      );
    }
  }

  private topicOf(stream: Stream): string {
    return this.options.topics[stream];
  }
}
