import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type AbortedTransaction, RecordSet } from '../../../../services/platform/kafka/record-batch.ts';

const FROM = { topic: 'decisions', partition: 3, offset: 0 };
const GZIP = 1;
const SNAPPY = 2;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

describe('decoding a record set', () => {
  test('all records of a batch carry the time at which the log appended it', () => {
    const { records, nextOffset } = recordSet(FROM, batch({ baseOffset: 0, keys: ['a', 'b'] }), []);
    expect(records.map(({ offset, key, appendTimeMs }) => [offset, key, appendTimeMs])).toEqual([
      [0, 'a', 1_700_000_000_123],
      [1, 'b', 1_700_000_000_123],
    ]);
    expect(nextOffset).toBe(2);
  });

  test('offsets beyond 32 bits are exact', () => {
    const baseOffset = 2 ** 40 + 3;
    const { records } = recordSet({ ...FROM, offset: baseOffset }, batch({ baseOffset, keys: ['a', 'b'] }), []);
    expect(records.map(({ offset }) => offset)).toEqual([baseOffset, baseOffset + 1]);
  });

  test('a gzip batch reads like a plain one', () => {
    const plain = recordSet(FROM, batch({ baseOffset: 0, keys: ['a', 'b'] }), []);
    const packed = recordSet(FROM, batch({ baseOffset: 0, keys: ['a', 'b'], attributes: GZIP }), []);
    expect(packed).toEqual(plain);
  });

  test('records before the asked offset are left out', () => {
    const set = recordSet({ ...FROM, offset: 1 }, batch({ baseOffset: 0, keys: ['a', 'b', 'c'] }), []);
    expect(set.records.map(({ key }) => key)).toEqual(['b', 'c']);
  });

  test('records are taken few by few, over the ends of batches', () => {
    const bytes = Buffer.concat([
      batch({ baseOffset: 0, keys: ['a', 'b', 'c'] }),
      batch({ baseOffset: 3, keys: [], lastOffsetDelta: 1 }),
      batch({ baseOffset: 5, keys: ['d', 'e'] }),
    ]);
    const set = new RecordSet({ ...FROM, offset: 1 }, bytes, []);
    const taken: string[] = [];
    while (!set.isTaken)
      taken.push(
        set
          .take(2)
          .map(({ offset, key }) => `${offset}${key}`)
          .join(' '),
      );
    expect(taken).toEqual(['1b 2c', '5d 6e']);
    expect(set.take(2)).toEqual([]);
  });

  test('a batch cut short by the size of the answer is left for the next fetch', () => {
    const first = batch({ baseOffset: 0, keys: ['a'] });
    const second = batch({ baseOffset: 1, keys: ['b'] });
    for (let bytes = first.length; bytes < first.length + second.length; bytes++) {
      const set = recordSet(FROM, Buffer.concat([first, second]).subarray(0, bytes), []);
      expect([set.records.length, set.nextOffset]).toEqual([1, 1]);
    }
  });

  test('a batch that compaction emptied moves the position on, as does a gap at its end', () => {
    const emptied = batch({ baseOffset: 0, keys: [], lastOffsetDelta: 6 });
    const thinned = batch({ baseOffset: 7, keys: ['a'], lastOffsetDelta: 2 });
    expect(recordSet(FROM, emptied, [])).toEqual({ records: [], nextOffset: 7 });
    expect(recordSet(FROM, Buffer.concat([emptied, thinned]), []).nextOffset).toBe(10);
  });

  test('aborted records are hidden, also when transactions of several producers interleave', () => {
    const transactional = (baseOffset: number, producerId: number, key: string): Buffer =>
      batch({ baseOffset, producerId, keys: [key], attributes: TRANSACTIONAL });
    const end = (baseOffset: number, producerId: number): Buffer =>
      batch({ baseOffset, producerId, keys: ['\0\0\0\0'], attributes: TRANSACTIONAL | CONTROL });
    const bytes = Buffer.concat([
      transactional(0, 7, 'aborted'),
      transactional(1, 8, 'committed'),
      // To kafkajs a key of four zero bytes is an abort marker, and what follows would show.
      transactional(2, 7, '\0\0\0\0'),
      transactional(3, 7, 'aborted too'),
      end(4, 7),
      transactional(5, 7, 'the next transaction'),
      end(6, 7),
      end(7, 8),
    ]);
    const { records, nextOffset } = recordSet(FROM, bytes, [{ producerId: 7, firstOffset: 0 }]);
    expect(records.map(({ key }) => key)).toEqual(['committed', 'the next transaction']);
    expect(nextOffset).toBe(8);
  });

  test('a codec that cannot be read is refused by name, after what precedes it was read', () => {
    const good = batch({ baseOffset: 0, keys: ['a'] });
    const bad = batch({ baseOffset: 1, keys: ['b'], attributes: SNAPPY });
    expect(recordSet(FROM, Buffer.concat([good, bad]), [])).toMatchObject({ nextOffset: 1 });
    const decode = () => recordSet({ ...FROM, offset: 1 }, bad, []);
    expect(decode).toThrow('decisions/3 at offset 1: compressed with snappy; produce with none, gzip or zstd');
  });

  test("a topic that keeps the producer's times is refused", () => {
    const decode = () => recordSet(FROM, batch({ baseOffset: 0, keys: ['a'], isLogAppendTime: false }), []);
    expect(decode).toThrow(/message\.timestamp\.type=LogAppendTime/);
  });
});

type From = ConstructorParameters<typeof RecordSet>[0];

function recordSet(from: From, bytes: Buffer, aborted: readonly AbortedTransaction[]) {
  const set = new RecordSet(from, bytes, aborted);
  return { records: set.take(Number.MAX_VALUE), nextOffset: set.nextOffset };
}

function batch(options: {
  readonly baseOffset: number;
  readonly keys: readonly string[];
  readonly attributes?: number;
  readonly lastOffsetDelta?: number;
  readonly producerId?: number;
  readonly isLogAppendTime?: boolean;
}): Buffer {
  const { baseOffset, keys, attributes = 0, producerId = -1, isLogAppendTime = true } = options;
  const records = Buffer.concat(keys.map(record));
  const body = (attributes & 0x07) === GZIP ? gzipSync(records) : records;
  const header = Buffer.alloc(61);
  header.writeBigInt64BE(BigInt(baseOffset), 0);
  header.writeInt32BE(61 - 12 + body.length, 8);
  header.writeInt8(2, 16);
  header.writeInt16BE(attributes | (isLogAppendTime ? LOG_APPEND_TIME : 0), 21);
  header.writeInt32BE(options.lastOffsetDelta ?? keys.length - 1, 23);
  header.writeBigInt64BE(1_600_000_000_000n, 27);
  header.writeBigInt64BE(1_700_000_000_123n, 35);
  header.writeBigInt64BE(BigInt(producerId), 43);
  header.writeInt32BE(keys.length, 57);
  return Buffer.concat([header, body]);
}

/** Short enough for every length and delta to be one zigzag byte; the time delta takes two. */
function record(key: string, index: number): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 0x80, 0x01, index * 2, key.length * 2]),
    Buffer.from(key),
    Buffer.from([2, 0x2a, 0]),
  ]);
  return Buffer.concat([Buffer.from([body.length * 2]), body]);
}
