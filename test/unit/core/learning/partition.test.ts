import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../../../../services/contracts/refusals.ts';
import { Invalid } from '../../../../services/core/errors.ts';
import type { ArmId, ExperimentId, InputEvent } from '../../../../services/core/events.ts';
import { emptyGroup } from '../../../../services/core/join/group.ts';
import {
  deadLettered,
  handleDecision,
  PartitionState,
  type Rules,
} from '../../../../services/core/learning/partition.ts';
import { LEARNING_REFUSALS } from '../../../../services/core/learning/refusals.ts';
import { experiment, rules, T0 } from '../../../support/core.ts';
import { dealt, learned, won } from '../../../support/learned.ts';

function refusal(event: InputEvent, given?: Rules): string {
  try {
    learned([event], given);
  } catch (error) {
    if (error instanceof Invalid) return error.code;
    throw error;
  }
  return 'none';
}

describe('a decision that can never be learned from is refused', () => {
  it.each<[string, InputEvent]>([
    ['unknown-experiment', dealt({ experimentId: 'nowhere' as ExperimentId })],
    ['unknown-experiment', dealt({ experimentId: '__proto__' as ExperimentId })],
    ['unknown-experiment-version', dealt({ experimentVersion: 2 })],
    ['unknown-arm', dealt({ arm: 'C' })],
    ['unknown-arm', dealt({ arm: 'constructor' })],
    ['feature-dimension', dealt({ features: [1] })],
    ['unknown-arm', dealt({ arms: ['A', 'C'] })],
    ['repeated-arm', dealt({ arms: ['A', 'B', 'A'] })],
  ])('as %s', (code, event) => {
    expect(refusal(event)).toBe(code);
  });

  it('as unknown-experiment-version when it was appended before that version was applied', () => {
    const given = rules(experiment({ version: 2, appliedAtMs: [T0, T0 + 10] }));
    expect(refusal(dealt({ clockMs: T0 - 1 }), given)).toBe('unknown-experiment-version');
    expect(refusal(dealt({ clockMs: T0 }), given)).toBe('none');
    expect(refusal(dealt({ experimentVersion: 2, clockMs: T0 + 9 }), given)).toBe('unknown-experiment-version');
    expect(refusal(dealt({ experimentVersion: 2, clockMs: T0 + 10 }), given)).toBe('none');
  });

  it('as unknown-arm when the version that it names did not have the arm yet', () => {
    const arms = [...experiment().arms, { ...experiment().arms[0]!, id: 'C' as ArmId, sinceVersion: 2 }];
    const given = rules(experiment({ version: 2, appliedAtMs: [T0, T0], arms }));
    expect(refusal(dealt({ arm: 'C', experimentVersion: 1 }), given)).toBe('unknown-arm');
    expect(refusal(dealt({ arm: 'C', experimentVersion: 2 }), given)).toBe('none');
  });

  it('as feature-pattern when counts go by pattern and its features are none', () => {
    const given = rules(
      experiment({
        layout: { aspects: [{ name: 'button', variants: ['A', 'B'] }], crosses: [] },
        context: [
          { kind: 'category', name: 'country', values: ['BR', 'DE'] },
          { kind: 'boolean', name: 'returning' },
        ],
      }),
    );
    for (const features of [
      [1, 0, 0, 0],
      [1, 1, 0, 1],
    ])
      expect(refusal(dealt({ features }), given)).toBe('none');
    for (const features of [
      [1, 1, 1, 0],
      [1, 0, 0, 0.5],
      [0, 1, 0, 0],
      [1, 0, 0, -1],
    ]) {
      expect(refusal(dealt({ features }), given)).toBe('feature-pattern');
    }
  });

  it('with a code that the table of refusals explains', () => {
    expect(REFUSALS).toMatchObject(LEARNING_REFUSALS);
  });

  it('and leaves the partition as it was', () => {
    const after = learned([dealt(), won()]);
    const before = { sums: after.oracle.sums(), counts: { ...after.counts } };
    expect(() => after.oracle.learn(dealt({ id: 'd2', arm: 'C' }))).toThrow(Invalid);
    expect({ sums: after.oracle.sums(), counts: after.counts }).toEqual(before);
  });
});

describe('the books', () => {
  it('count a refused record as dead-lettered, in its own stream', () => {
    const state = new PartitionState();
    for (const stream of ['decisions', 'rewards', 'rewards'] as const) {
      state.apply({ deltas: [], counts: deadLettered(stream) });
    }
    expect(state.counts).toMatchObject({
      decisionsIn: 1,
      decisionsDeadLettered: 1,
      rewardsIn: 2,
      rewardsDeadLettered: 2,
    });
  });

  it("keep the log clock as the running maximum of append times, each stream's own", () => {
    const state = new PartitionState();
    expect(state.observe('decisions', 1, 50)).toBe(50);
    expect(state.observe('decisions', 2, 40)).toBe(50);
    expect(state.observe('rewards', 1, 10)).toBe(10);
    expect(state).toMatchObject({ offsets: { decisions: 2, rewards: 1 }, clocks: { decisions: 50, rewards: 10 } });
  });
});

describe('handling', () => {
  it('proposes and changes nothing: the same group may be handled again', () => {
    const event = dealt();
    if (event.stream !== 'decisions') throw new Error('a decision was built');
    const group = Object.freeze(emptyGroup(event.decision.unitId));
    const [once, again] = [1, 2].map(() => handleDecision(group, event.decision, event.clockMs, rules()));
    expect(once).toEqual(again);
    expect(group.decisions).toEqual([]);
  });

  it('puts a decision into the cohort of the time it was decided at', () => {
    const after = learned([dealt({ atMs: T0 + 49 }), dealt({ id: 'd2', atMs: T0 + 50, clockMs: T0 + 50 })]);
    const cohorts = [...after.oracle.state.sums.entries()].map(({ cohort }) => cohort * 50 - T0);
    expect(cohorts).toEqual([0, 50]);
  });

  it('puts a decision of a client whose clock is ahead into the cohort of its append', () => {
    const after = learned([dealt({ atMs: Date.UTC(2099, 0, 1), clockMs: T0 })]);
    const cohorts = [...after.oracle.state.sums.entries()].map(({ cohort }) => cohort * 50 - T0);
    expect(cohorts).toEqual([0]);
  });
});
