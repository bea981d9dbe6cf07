/** How long a loss lasts for who reads snapshots, found in the log afterwards. */
import type { Installation } from '../support/installation.ts';

/** From each loss to the append of a snapshot that reflects, in every partition, a decision appended since. */
export async function recoveries(installation: Installation, lossesMs: readonly number[]): Promise<number[]> {
  const { log, topics, codecs } = installation;
  const records = await installation.recordsOf(topics.snapshots);
  const snapshots = records.flatMap(({ value, appendTimeMs }) =>
    value === null ? [] : [{ appendTimeMs, cuts: codecs.snapshot.decode(value).offsets }],
  );
  const found: number[] = [];
  for (const lostMs of lossesMs) {
    const since = await log.admin.offsetsAt(topics.decisions, lostMs);
    const reflects = (cuts: (typeof snapshots)[number]['cuts']): boolean =>
      since.every((offset, at) => cuts.some(({ partition, decisions }) => partition === at && decisions > offset));
    const next = snapshots.find(({ appendTimeMs, cuts }) => appendTimeMs > lostMs && reflects(cuts));
    if (next !== undefined) found.push(next.appendTimeMs - lostMs);
  }
  return found;
}
