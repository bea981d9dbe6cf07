import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tagOf } from '../../../../services/platform/store/segments/place-index.ts';
import { Bytes, checksum, tagAt, UNIT, writeRecord } from '../../../../services/platform/store/segments/record.ts';

describe('a checksum', () => {
  // From xxhash 3.6 for Python, xxh32 with seed 0.
  it.each([
    ['', 0x02cc5d05],
    ['abcd', 0xa3643705],
    ['0123456789abcdef', 0xc2c45b69],
    ['0123456789abcdef01234567', 0xc6fdfae8],
    [String.fromCharCode(...Array.from({ length: 256 }, (_, i) => (i * 7) % 256)), 0x0ad8eb4f],
  ])('is that of XXH32 (%#)', (text, expected) => {
    const bytes = new Bytes(256);
    bytes.buffer.write(text, 'latin1');
    expect(checksum(bytes.words, 0, text.length / 4)).toBe(expected);
  });
});

it("the tag of a record's key is the same from its bytes as from its text", () => {
  const bytes = new Bytes(4_096);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })), (key) => {
      writeRecord(bytes, 0, { kind: UNIT, prior: 0, due: 0, mark: 0, key, value: new Uint8Array(8) });
      expect(tagAt(bytes, 0)).toBe(tagOf(key));
    }),
  );
});
