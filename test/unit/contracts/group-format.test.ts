import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeGroup, encodeGroup } from '../../../services/contracts/group-format.ts';
import type { UnitId } from '../../../services/core/events.ts';
import type { DecisionEntry, Group, RewardEntry } from '../../../services/core/join/group.ts';

const UNIT = 'unit' as UnitId;
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 });
const whole = fc.nat({ max: 2 ** 31 });
const number = fc.double({ noNaN: true });
const letIn = fc.record({ span: whole, records: whole });
const slot = fc.record({ armId: text, propensity: number });
const decision = fc.record({
  seq: whole,
  decisionId: text,
  experimentId: text,
  slots: fc.array(slot, { minLength: 1, maxLength: 4 }),
  heldOut: fc.boolean(),
  features: fc.array(fc.integer({ min: -(2 ** 20), max: 2 ** 20 }), { maxLength: 40 }),
  decidedAtMs: number,
  clockMs: number,
});
const record = fc.record({
  revision: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  value: fc.option(number),
  clockMs: number,
  reachedDropped: fc.boolean(),
});
const reward = fc.record({
  facts: fc.record({
    rewardId: text,
    metric: text,
    occurredAtMs: number,
    decisionId: fc.option(text),
    experimentId: fc.option(text),
    armId: fc.option(text),
  }),
  records: fc.array(record, { minLength: 1, maxLength: 4 }),
  owners: fc.array(whole, { maxLength: 5 }),
});
const continued = fc.array(fc.record({ id: text, clockMs: number }), { maxLength: 3 });
const groups = fc.record({
  unitId: fc.constant(UNIT),
  letIn: fc.record({ decisions: letIn, rewards: letIn }),
  continued: fc.record({ decisions: continued, rewards: continued }),
  decisions: fc.array(decision, { maxLength: 6 }),
  rewards: fc.array(reward, { maxLength: 6 }),
}) as unknown as fc.Arbitrary<Group>;

/** Looks at every field that is decoded only where somebody looks. */
function plain(group: Group): Group {
  const decisions = group.decisions.map(
    ({ seq, decisionId, experimentId, slots, heldOut, features, decidedAtMs, clockMs }): DecisionEntry => ({
      ...{ seq, decisionId, experimentId, slots, heldOut, features, decidedAtMs, clockMs },
    }),
  );
  const rewards = group.rewards.map(
    ({ facts: { rewardId, metric, occurredAtMs, decisionId, experimentId, armId }, records, owners }): RewardEntry => ({
      facts: { rewardId, metric, occurredAtMs, decisionId, experimentId, armId },
      records,
      owners,
    }),
  );
  return { ...group, decisions, rewards };
}

const stored = (group: Group): Buffer => Buffer.from(encodeGroup(group));

describe('a group as it is stored', () => {
  it('is read as it was written, and written again as the same bytes', () => {
    fc.assert(
      fc.property(groups, (group) => {
        const bytes = stored(group);
        expect(plain(decodeGroup(UNIT, bytes))).toEqual(group);
        expect(stored(decodeGroup(UNIT, bytes))).toEqual(bytes);
        expect(stored(plain(decodeGroup(UNIT, bytes)))).toEqual(bytes);
      }),
    );
  });

  it('takes entries that were read beside new ones', () => {
    fc.assert(
      fc.property(groups, groups, (known, more) => {
        const read = decodeGroup(UNIT, stored(known));
        const both = {
          ...read,
          decisions: [...read.decisions, ...more.decisions],
          rewards: [...read.rewards, ...more.rewards],
        };
        expect(plain(decodeGroup(UNIT, stored(both)))).toEqual(plain(both));
      }),
    );
  });

  it('is refused when it is cut short or goes on', () => {
    fc.assert(
      fc.property(groups, fc.nat(), (group, cut) => {
        const bytes = stored(group);
        expect(() => decodeGroup(UNIT, bytes.subarray(0, cut % bytes.length))).toThrow(RangeError);
        expect(() => decodeGroup(UNIT, Buffer.concat([bytes, Buffer.of(0)]))).toThrow(RangeError);
      }),
    );
  });
});
