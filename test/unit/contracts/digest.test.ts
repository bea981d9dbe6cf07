import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type DigestInput, snapshotDigest } from '../../../services/contracts/digest.ts';
import type { ArmId, ExperimentId } from '../../../services/core/events.ts';
import { DELAYS } from '../../../services/core/learning/sums.ts';
import { ExactVector } from '../../../services/core/sums/exact.ts';
import { a1, a2, coupon, vector } from './fixtures.ts';

const input: DigestInput = {
  experimentId: coupon,
  experimentVersion: 2,
  armIds: [a1, a2],
  sums: new Map([[a1, vector(3, -1)]]),
  policies: [
    {
      kind: 'ucb1',
      parameters: new Map([['alpha', 1]]),
      state: new Map([
        ['mean', Float64Array.of(0.5)],
        ['n', Float64Array.of(4)],
      ]),
    },
  ],
};

describe('a digest', () => {
  it('is SHA-256 over the canonical form, byte for byte', () => {
    const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
    const text = (value: string) => Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);
    const numbers = (...values: number[]) =>
      Buffer.concat([u32(values.length), Buffer.from(Float64Array.from(values).buffer)]);
    const form = [
      [text('croupier-digest-1'), text('coupon'), numbers(2)],
      [u32(2), text('A1'), numbers(0, -1), numbers(3, 2 ** 40 - 1), text('A2'), numbers(), numbers()],
      [u32(1), text('ucb1'), u32(1), text('alpha'), numbers(1)],
      [u32(2), text('mean'), numbers(0.5), text('n'), numbers(4)],
    ];
    expect(snapshotDigest(input)).toBe(createHash('sha256').update(Buffer.concat(form.flat())).digest('hex'));
  });

  it('stays what it was: digests of other releases are compared with it', () => {
    expect(snapshotDigest(input)).toBe('838b1bdcf0a2e499ca891858b3f3040aee5b433303b6f9dba33fe28f9a41ca44');
  });

  it('tells delays apart, and those that were never counted from nothing', () => {
    const withDelays = (...cells: number[]): DigestInput => ({
      ...input,
      sums: new Map([...input.sums, [DELAYS, vector(...cells)]]),
    });
    const digests = [input, withDelays(1, 0), withDelays(0, 1)].map(snapshotDigest);
    expect(new Set(digests).size).toBe(3);
    expect(snapshotDigest(withDelays(0, 0))).toBe(snapshotDigest(input));
  });

  it('does not depend on the order of maps, on zero vectors, on −0 or on how sums were carried', () => {
    const carried = new ExactVector(2);
    carried.beginRound()[0]! += 2 ** 40;
    carried.beginRound()[0]! -= 2 ** 40 - 3;
    carried.beginRound()[1]! -= 1;
    const [policy] = input.policies;
    const same: DigestInput = {
      ...input,
      sums: new Map([
        [a2, vector(0, 0)],
        [a1, carried],
      ]),
      policies: [{ ...policy!, state: new Map([...policy!.state].reverse()) }],
    };
    expect(snapshotDigest(same)).toBe(snapshotDigest(input));
    const withZero = (zero: number): DigestInput => ({
      ...input,
      policies: [{ ...policy!, state: new Map([['b', Float64Array.of(zero)]]) }],
    });
    expect(snapshotDigest(withZero(-0))).toBe(snapshotDigest(withZero(0)));
  });

  const [policy] = input.policies;
  const others: readonly (readonly [string, Partial<DigestInput>])[] = [
    ['the experiment', { experimentId: 'coupons' as ExperimentId }],
    ['the version of the definition', { experimentVersion: 3 }],
    ['the order of arms', { armIds: [a2, a1] }],
    ['an arm', { armIds: [a1, a2, 'A3' as ArmId] }],
    ['one unit of one sum', { sums: new Map([[a1, vector(3, -2)]]) }],
    ['a parameter', { policies: [{ ...policy!, parameters: new Map([['alpha', 2]]) }] }],
    [
      'the last bit of what was learned',
      {
        policies: [
          {
            ...policy!,
            state: new Map([
              ['mean', Float64Array.of(0.5 + 2 ** -53)],
              ['n', Float64Array.of(4)],
            ]),
          },
        ],
      },
    ],
    [
      'where one block ends',
      {
        policies: [
          {
            ...policy!,
            state: new Map([
              ['mean', Float64Array.of(0.5, 4)],
              ['n', new Float64Array()],
            ]),
          },
        ],
      },
    ],
    ['the number of policies', { policies: [policy!, policy!] }],
  ];
  it.each(others)('changes with %s', (_, change) => {
    expect(snapshotDigest({ ...input, ...change })).not.toBe(snapshotDigest(input));
  });
});
