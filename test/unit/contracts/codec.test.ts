/** What crosses the door, and what is refused there. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AvroSchema } from '../../../services/contracts/avro.ts';
import { type Codec, createCodecs, type SchemaSource } from '../../../services/contracts/codec.ts';
import { deadLetter } from '../../../services/contracts/dead-letter.ts';
import { subjectOf, topicNames } from '../../../services/contracts/keys.ts';
import { REFUSALS } from '../../../services/contracts/refusals.ts';
import { Invalid } from '../../../services/core/errors.ts';
import type { Decision, Reward } from '../../../services/core/events.ts';
import { ATTRIBUTION_MODELS, DELAY_MODES, type Experiment } from '../../../services/core/experiment.ts';
import { DELAYS } from '../../../services/core/learning/sums.ts';
import type { Tally } from '../../../services/core/learning/tally.ts';
import { DELAYS_SIZE } from '../../../services/core/sums/delays.ts';
import { ExactVector } from '../../../services/core/sums/exact.ts';
import { embeddedSchemaSource } from '../../../services/platform/embedded/schema-source.ts';
import { rewardSpec } from '../../support/reward-spec.ts';
import {
  a1,
  a2,
  decision,
  experiment,
  NOON_MS,
  page,
  progressTally,
  reward,
  snapshot,
  sumsTally,
  vector,
} from './fixtures.ts';

const topics = topicNames('test.');
const source = embeddedSchemaSource(topics);
const codecs = createCodecs(source, topics);

function delays(count: number): ExactVector {
  const counts = new ExactVector(DELAYS_SIZE);
  counts.beginRound().fill(count);
  counts.normalize();
  return counts;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Invalid) return error.code;
    throw error;
  }
  return 'accepted';
}

function roundTrip<T>(codec: Codec<T>, value: T): T {
  return codec.decode(codec.encode(value));
}

describe('every kind of record comes back as it was written', () => {
  it('decisions', () => expect(roundTrip(codecs.decision, decision)).toEqual(decision));
  it('rewards', () => expect(roundTrip(codecs.reward, reward)).toEqual(reward));
  it('retractions', () => expect(roundTrip(codecs.reward, { ...reward, value: null }).value).toBeNull());
  it('experiments', () => expect(roundTrip(codecs.experiment, experiment)).toEqual(experiment));
  it.each([...ATTRIBUTION_MODELS])('experiments by %s', (model) => {
    const defined = { ...experiment, attribution: { ...experiment.attribution, model } };
    expect(roundTrip(codecs.experiment, defined)).toEqual(defined);
  });
  it.each([...DELAY_MODES])('experiments that take delays as %s', (delay) => {
    const metrics = { click: { fold: 'max' } } as const;
    const defined = { ...experiment, reward: rewardSpec({ metrics, max: 1, delay }) };
    expect(roundTrip(codecs.experiment, defined)).toEqual(defined);
  });
  it('experiments with a layout', () => expect(roundTrip(codecs.experiment, page)).toEqual(page));
  it('progress', () => expect(roundTrip(codecs.tally, progressTally)).toEqual(progressTally));
  it('sums, to the bit', () => expect(roundTrip(codecs.tally, sumsTally)).toEqual(sumsTally));
  it('delays, to the bit', () => {
    const counted: Tally = { ...sumsTally, sums: new Map([...sumsTally.sums, [DELAYS, delays(3)]]) };
    expect(roundTrip(codecs.tally, counted)).toEqual(counted);
  });
  it('snapshots, to the bit', () => expect(roundTrip(codecs.snapshot, snapshot)).toEqual(snapshot));
  it('dead letters', () => {
    const record = {
      topic: 'rewards',
      partition: 1,
      offset: 9,
      appendTimeMs: NOON_MS,
      key: 'u',
      value: Buffer.of(1, 2),
    };
    const letter = deadLetter(record, new Invalid('bad-magic', 'why'));
    expect(roundTrip(codecs.deadLetter, letter)).toEqual(letter);
    expect(letter).toMatchObject({ reason: 'bad-magic', message: 'why', offset: 9, truncatedFrom: null });
  });
});

it('equal sums have equal bytes, whatever the order and with or without arms that came to nothing', () => {
  const sums = new Map([...sumsTally.sums].reverse());
  const zero = vector(5, 5, 5);
  zero.addVector(vector(5, 5, 5), -1);
  const same = { ...sumsTally, sums: new Map([['A0' as typeof a1, zero], ...sums]) };
  expect(codecs.tally.encode(same)).toEqual(codecs.tally.encode(sumsTally));
  const other = { ...sumsTally, sums: new Map([...sums, [a2, vector(2 ** 39, 1, 5)] as const]) };
  expect(codecs.tally.encode(other)).not.toEqual(codecs.tally.encode(sumsTally));
});

it('the append time of a definition is left to whoever reads it', () => {
  const read = roundTrip(codecs.experiment, { ...experiment, appliedAtMs: [NOON_MS, NOON_MS + 5] });
  expect(read.appliedAtMs).toEqual([NOON_MS]);
});

it('features off the grid are rounded to it at the door', () => {
  expect(roundTrip(codecs.decision, { ...decision, features: [0.1, -1e-9] }).features).toEqual([6554 / 65536, 0]);
});

describe('a value is refused with a stable code, when written as when read', () => {
  const year3000 = Date.UTC(3000, 0, 1);
  const decisions: readonly (readonly [string, Partial<Record<keyof Decision, unknown>>])[] = [
    ['time-range', { decidedAtMs: year3000 }],
    ['time-range', { decidedAtMs: Date.UTC(2000, 0, 1) - 1 }],
    ['text-range', { decisionId: '' }],
    ['text-range', { unitId: 'x'.repeat(201) }],
    ['text-range', { unitId: 'a\u0000b' }],
    ['text-range', { unitId: 'a\ud800b' }],
    ['slots-range', { slots: [] }],
    ['slots-range', { slots: Array.from({ length: 21 }, () => decision.slots[0]) }],
    ['propensity-range', { slots: [{ armId: a1, propensity: 0 }] }],
    ['propensity-range', { slots: [{ armId: a1, propensity: 1 + 2 ** -52 }] }],
    ['propensity-range', { slots: [{ armId: a1, propensity: Number.NaN }] }],
    ['feature-range', { features: [16.1] }],
    ['feature-range', { features: [Number.NaN] }],
    ['feature-range', { features: new Array(4_097).fill(0) }],
    ['unknown-reason', { reason: 'unknown' }],
    ['number-range', { experimentVersion: 0 }],
  ];
  it.each(decisions)('%s %#', (code, change) => {
    expect(codeOf(() => codecs.decision.encode({ ...decision, ...change } as Decision))).toBe(code);
  });

  const rewards: readonly (readonly [string, Partial<Record<keyof Reward, unknown>>])[] = [
    ['time-range', { occurredAtMs: year3000 }],
    ['number-range', { value: Number.NaN }],
    ['number-range', { value: Number.POSITIVE_INFINITY }],
    ['number-range', { revision: -1 }],
    ['text-range', { metric: '\ufffd' }],
    ['text-range', { experimentId: '' }],
    ['text-range', { armId: '' }],
  ];
  it.each(rewards)('%s %#', (code, change) => {
    expect(codeOf(() => codecs.reward.encode({ ...reward, ...change } as Reward))).toBe(code);
  });

  it('limits themselves are within', () => {
    const edges = {
      decidedAtMs: Date.UTC(2100, 0, 1) - 1,
      unitId: 'x'.repeat(200),
      features: new Array(4_096).fill(16),
    };
    const slots = new Array(20).fill({ armId: a1, propensity: 1 });
    expect(codeOf(() => codecs.decision.encode({ ...decision, ...edges, slots } as unknown as Decision))).toBe(
      'accepted',
    );
  });

  it('reading refuses what a writer without our checks wrote', () => {
    const bytes = codecs.reward.encode(reward);
    const value = bytes.indexOf(Buffer.from(Float64Array.of(1 / 3).buffer));
    bytes.writeDoubleLE(Number.NaN, value);
    expect(codeOf(() => codecs.reward.decode(bytes))).toBe('number-range');
  });
});

describe('bytes are refused with a stable code', () => {
  const good = codecs.decision.encode(decision);

  it('bad-magic: not in the wire format', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.of(0, 0, 0), Buffer.from('{"unitId":"u"}')]) {
      expect(codeOf(() => codecs.decision.decode(bytes))).toBe('bad-magic');
    }
  });

  it('unknown-schema: an id that is no version of the subject, even if it is one of another', () => {
    const foreign = Buffer.from(good);
    for (const id of [0, 77, 2 ** 32 - 1, source.idOf(subjectOf(topics.rewards))]) {
      foreign.writeUInt32BE(id, 1);
      expect(codeOf(() => codecs.decision.decode(foreign))).toBe('unknown-schema');
    }
  });

  it('malformed: too short, too long, or a long beyond 2⁵³', () => {
    expect(codeOf(() => codecs.decision.decode(good.subarray(0, -1)))).toBe('malformed');
    expect(codeOf(() => codecs.decision.decode(Buffer.concat([good, Buffer.of(0)])))).toBe('malformed');
    const bytes = codecs.reward.encode({ ...reward, rewardId: 'r' as typeof reward.rewardId });
    const long = Buffer.concat([bytes.subarray(0, 7), Buffer.from('ffffffffffffffffff01', 'hex'), bytes.subarray(8)]);
    expect(codeOf(() => codecs.reward.decode(long))).toBe('malformed');
  });

  it('too-large: beyond what the topic allows', () => {
    expect(codeOf(() => codecs.decision.decode(Buffer.alloc(10_000_000)))).toBe('too-large');
  });

  it('contradictory: sums that are not in normal form', () => {
    const bytes = codecs.tally.encode({ ...sumsTally, sums: new Map([[a1, vector(7)]]) });
    const cell = bytes.indexOf(Buffer.from(Float64Array.of(7).buffer));
    for (const wrong of [-1, 2 ** 40, 0.5, Number.NaN]) {
      bytes.writeDoubleLE(wrong, cell);
      expect(codeOf(() => codecs.tally.decode(bytes))).toBe('contradictory');
    }
  });

  it('contradictory: delays of another number of ticks and buckets', () => {
    const sums = new Map([[DELAYS, vector(1, 2)]]);
    expect(codeOf(() => codecs.tally.decode(codecs.tally.encode({ ...sumsTally, sums })))).toBe('contradictory');
  });

  it('contradictory: delays corrected for where they cannot be', () => {
    const reward = rewardSpec({ metrics: { click: { fold: 'sum' } }, delay: 'delay-corrected' });
    expect(codeOf(() => codecs.experiment.encode({ ...experiment, reward }))).toBe('contradictory');
  });

  it('contradictory: a cross of what cannot be crossed', () => {
    for (const of of [['is_high_value', 'age'], ['is_high_value', 'is_high_value'], ['is_high_value']]) {
      const context = [...experiment.context, { kind: 'cross' as const, name: 'wrong', of }];
      expect(codeOf(() => codecs.experiment.encode({ ...experiment, context }))).toBe('contradictory');
    }
  });

  it('contradictory: a layout that does not make the arms, or that cannot be counted', () => {
    const code = (changes: Partial<Experiment>) => codeOf(() => codecs.experiment.encode({ ...page, ...changes }));
    const { arms, layout, context } = page;
    expect(code({ arms: arms.toReversed() })).toBe('contradictory');
    expect(code({ arms: arms.slice(1), fallbackArmId: arms[1]!.id })).toBe('contradictory');
    expect(code({ layout: { ...layout!, crosses: [['headline', 'weather']] } })).toBe('contradictory');
    expect(code({ context: [...context, { kind: 'number', name: 'age', mean: 0, scale: 1 }] })).toBe('contradictory');
    expect(code({})).toBe('accepted');
  });

  it('priors: of another arm, twice, of sums that no rewards have, of other contexts, or too large', () => {
    const prior = { armId: experiment.arms[0]!.id, n: 10, sumR: 4, sumRR: 2, contextSums: [] };
    const code = (...wrong: object[]) =>
      codeOf(() => codecs.experiment.encode({ ...experiment, prior: wrong.map((one) => ({ ...prior, ...one })) }));
    expect(roundTrip(codecs.experiment, { ...experiment, prior: [prior] }).prior).toEqual([prior]);
    expect(code({ armId: 'stranger' })).toBe('contradictory');
    expect(code({}, {})).toBe('contradictory');
    expect(code({ contextSums: [1, 2] })).toBe('contradictory');
    for (const wrong of [{ n: -1 }, { n: Number.NaN }, { sumR: 10.1 }, { sumR: -1 }, { sumRR: 1.5 }, { sumRR: 4.1 }]) {
      expect(code(wrong)).toBe('number-range');
    }
    expect(code({ contextSums: Array.from({ length: 100_001 }, () => 0) })).toBe('too-large');
  });

  it('whatever the bytes, the answer is a value or a refusal that is listed', () => {
    const kinds = [
      { codec: codecs.decision, good },
      { codec: codecs.reward, good: codecs.reward.encode(reward) },
      { codec: codecs.experiment, good: codecs.experiment.encode(experiment) },
      { codec: codecs.tally, good: codecs.tally.encode(sumsTally) },
      { codec: codecs.snapshot, good: codecs.snapshot.encode(snapshot) },
    ];
    const flips = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...kinds), flips, ({ codec, good }, changes) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of changes) bytes[5 + (at % (bytes.length - 5))] = byte;
        const code = codeOf(() => codec.decode(bytes));
        return code === 'accepted' || code in REFUSALS;
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('dead letters', () => {
  const record = { topic: 'rewards', partition: 0, offset: 0, appendTimeMs: NOON_MS, key: null };

  it('keep the first 65,536 bytes of a larger value, and how many there were', () => {
    const letter = deadLetter(
      { ...record, value: Buffer.alloc(5_000_000, 7) },
      new Invalid('too-large', 'x'.repeat(5_000)),
    );
    expect(letter.value?.length).toBe(65_536);
    expect(letter.truncatedFrom).toBe(5_000_000);
    expect(letter.message.length).toBe(1_000);
    expect(roundTrip(codecs.deadLetter, letter)).toEqual(letter);
  });
});

describe('schemas that writers used before or will use later', () => {
  const subject = subjectOf(topics.rewards);
  const current = source.loaded(subject, source.idOf(subject))!;

  /** A source that learns of one more version when it is asked to load. */
  function sourceWith(id: number, schema: AvroSchema): SchemaSource & { loads: number[][] } {
    const loads: number[][] = [];
    const known = new Map<number, AvroSchema>();
    return {
      loads,
      idOf: (name) => source.idOf(name),
      loaded: (name, wanted) => (name === subject ? known.get(wanted) : undefined) ?? source.loaded(name, wanted),
      load: async (_, ids) => {
        loads.push([...ids]);
        if (ids.includes(id)) known.set(id, schema);
      },
    };
  }

  const later = structuredClone(current) as unknown as { fields: object[] };
  later.fields.push({ name: 'added', type: { type: 'array', items: 'string' }, default: [] });
  /** The added field: an empty list. */
  const written = Buffer.concat([codecs.reward.encode(reward), Buffer.of(0)]);
  written.writeUInt32BE(9_999, 1);

  it('are loaded once by prepare, then read synchronously', async () => {
    const learning = sourceWith(9_999, later as unknown as AvroSchema);
    const { reward: codec } = createCodecs(learning, topics);
    expect(codeOf(() => codec.decode(written))).toBe('unknown-schema');
    await codec.prepare([null, Buffer.of(9), written, written]);
    expect(codec.decode(written)).toEqual(reward);
    await codec.prepare([written]);
    expect(learning.loads).toEqual([[9_999]]);
  });

  it('that cannot be read by this version are refused, not guessed', async () => {
    const other = { type: 'record', name: 'Other', fields: [{ name: 'x', type: 'int' }] } as unknown as AvroSchema;
    const { reward: codec } = createCodecs(sourceWith(9_999, other), topics);
    await codec.prepare([written]);
    expect(codeOf(() => codec.decode(written))).toBe('unknown-schema');
  });
});
