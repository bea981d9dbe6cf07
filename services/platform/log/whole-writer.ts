/**
 * Appends values of any size to a compacted topic, and removes what they leave behind: the parts of the value before.
 * A crash at any point leaves the older value or the newer one whole. Owns nothing but the knowledge of which parts are
 * on the log, which it may share with whoever reads them.
 */
import { toParts } from '../../contracts/parts.ts';
import { inBatches } from './batches.ts';
import type { AppendRecord, LogWriter, TopicPartition } from './port.ts';

export interface Entry {
  readonly key: string;
  /** `null` removes it. */
  readonly value: Buffer | null;
}

export class WholeWriter {
  private readonly writer: LogWriter;
  private readonly partKeys: Map<string, Set<string>>;

  /** @param partKeys of the parts on the log, by the key of the value (Assembler.partKeys). */
  constructor(writer: LogWriter, partKeys: Map<string, Set<string>>) {
    this.writer = writer;
    this.partKeys = partKeys;
  }

  /**
   * New values first, all of them, then tombstones.
   * @returns offset of the last record that has a value, `null` when there is none.
   * @throws what `LogWriter.append` does; then any first part of it may be there, and what is on the log must be read again.
   */
  async write(to: TopicPartition, entries: readonly Entry[]): Promise<number | null> {
    const values: AppendRecord[] = [];
    const removed: AppendRecord[] = [];
    for (const { key, value } of entries) {
      const parts = value === null ? [] : toParts(key, value);
      values.push(...parts);
      if (value === null) removed.push({ key, value: null });
      for (const part of this.replaceParts(key, parts)) removed.push({ key: part, value: null });
    }
    let last: number | null = null;
    for (const batch of inBatches(values)) last = (await this.writer.append(to, batch)) + batch.length - 1;
    for (const batch of inBatches(removed)) await this.writer.append(to, batch);
    return last;
  }

  /** @returns keys of the parts on the log that are none of the value's. */
  private replaceParts(key: string, parts: readonly AppendRecord[]): string[] {
    const own = new Set(parts.flatMap((part) => (part.key === null || part.key === key ? [] : [part.key])));
    const surplus = [...(this.partKeys.get(key) ?? [])].filter((part) => !own.has(part));
    if (own.size > 0) this.partKeys.set(key, own);
    else this.partKeys.delete(key);
    return surplus;
  }
}
