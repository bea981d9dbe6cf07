import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Assembler, PART_BYTES_MAX, toParts } from '../../../services/contracts/parts.ts';

interface Read {
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

function read(key: string, value: Buffer): Read[] {
  return toParts(key, value).map((part) => ({ headers: {}, ...part }));
}

function tombstones(records: readonly Read[]): Read[] {
  return records.map(({ key }) => ({ key, value: null, headers: {} }));
}

/** What compaction leaves: the newest record of each key. */
function compacted(records: readonly Read[]): Read[] {
  const newest = new Map(records.map((record, index) => [record.key, index]));
  return records.filter(({ key }, index) => newest.get(key) === index);
}

const SMALL = Buffer.from('small');
const LARGE = randomBytes(2 * PART_BYTES_MAX + 1);
const LARGER = randomBytes(4 * PART_BYTES_MAX);

describe('a value', () => {
  it('that fits one record is that record', () => {
    expect(toParts('key', SMALL)).toEqual([{ key: 'key', value: SMALL }]);
    expect(toParts('key', LARGE.subarray(0, PART_BYTES_MAX))).toHaveLength(1);
  });

  it('that does not is cut into parts, and whole again once all of them have been read', () => {
    const parts = read('a/b#c', LARGE);
    expect(parts).toHaveLength(3);
    const assembler = new Assembler<Read>();
    expect(assembler.assemble(parts.slice(0, 2))).toEqual([]);
    const [whole] = assembler.assemble(parts.slice(2));
    expect(whole!.key).toBe('a/b#c');
    expect(whole!.value!.equals(LARGE)).toBe(true);
  });

  it('is given once more when the same records are handled once more', () => {
    const assembler = new Assembler<Read>();
    const parts = read('key', LARGE);
    expect(assembler.assemble(parts)).toBe(assembler.assemble(parts));
  });

  it('is never a mixture: two that are written at once come out as they are', () => {
    const [a, b] = [read('key', LARGE), read('key', LARGER)];
    const mixed = [a[0]!, b[0]!, b[1]!, a[1]!, b[2]!, a[2]!, b[3]!];
    const [first, second, ...others] = new Assembler<Read>().assemble(mixed).map(({ value }) => value!);
    expect([first!.equals(LARGE), second!.equals(LARGER), others.length]).toEqual([true, true, 0]);
  });

  it('is there at every point of being replaced, however compacted', () => {
    const steps = [
      ...read('key', LARGER),
      ...read('key', LARGE),
      ...tombstones(read('key', LARGER)),
      ...read('key', SMALL),
      ...tombstones(read('key', LARGE)),
    ];
    const wholeFrom = read('key', LARGER).length;
    for (let end = wholeFrom; end <= steps.length; end++) {
      for (let compactedTo = 0; compactedTo <= end; compactedTo++) {
        const log = [...compacted(steps.slice(0, compactedTo)), ...steps.slice(compactedTo, end)];
        const wholes = new Assembler<Read>().assemble(log);
        expect(wholes.length, `${end} records, ${compactedTo} compacted`).toBeGreaterThan(0);
        for (const { value } of wholes) expect([LARGER, LARGE, SMALL].some((one) => one.equals(value!))).toBe(true);
      }
    }
  });

  it('whose parts do not make it up is refused', () => {
    const parts = read('key', LARGE);
    const wrong = [{ ...parts[0]!, value: Buffer.alloc(PART_BYTES_MAX) }, parts[1]!, parts[2]!];
    expect(() => new Assembler<Read>().assemble(wrong)).toThrow('do not have its digest');
    expect(() => new Assembler<Read>().assemble([{ ...parts[0]!, headers: {} }])).toThrow('croupier-part');
  });
});

it('the parts on the log are known until they are removed, whole or not', () => {
  const assembler = new Assembler<Read>();
  const parts = read('key', LARGE);
  assembler.assemble(parts.slice(0, 2));
  expect([...assembler.partKeys.get('key')!]).toEqual(parts.slice(0, 2).map(({ key }) => key));
  assembler.assemble(tombstones(parts));
  expect(assembler.partKeys.size).toBe(0);
});
