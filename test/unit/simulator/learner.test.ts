import { expect, test } from 'vitest';
import { seededRandom } from '../../../services/core/random.ts';
import { Albums } from '../../../services/simulator/environments/albums.ts';
import { Arms } from '../../../services/simulator/environments/arms.ts';
import { SimulatedLearner } from '../../../services/simulator/learner.ts';
import { parsePolicy } from '../../../services/simulator/policies.ts';

/** Deals the best mean, and the first of the arms that were never tried only while none has paid. */
const GREEDY = parsePolicy('epsilon-greedy:epsilon=0');
const UNIT = (step: number) => ({ unitId: `user-${step}`, context: new Map() });

test('a later revision takes the place of an earlier one', () => {
  const world = new Arms({ means: [0.5, 0.5], rewards: { kind: 'bernoulli' }, drift: { kind: 'none' } });
  const learner = new SimulatedLearner(world, { seed: 1, policy: GREEDY, pendingExposure: true });
  const { decision, slots } = learner.decide(UNIT(0), 0);
  const { armIndex } = slots[0]!;
  learner.reward(decision, { armId: decision.slots[0]!.armId, revision: 0, value: 1, isLast: false }, 0);
  learner.publish(1);
  expect([1, 2, 3, 4].map((step) => learner.decide(UNIT(step), step).slots[0]!.armIndex)).toEqual(
    Array(4).fill(armIndex),
  );
  learner.reward(decision, { armId: decision.slots[0]!.armId, revision: 1, value: 0, isLast: true }, 5);
  learner.publish(5);
  // Nothing has paid now: both arms are alike.
  const dealt = Array.from({ length: 40 }, (_, at) => learner.decide(UNIT(6 + at), 6 + at).slots[0]!.armIndex);
  expect(new Set(dealt)).toEqual(new Set([0, 1]));
});

test('what was learned counts from the next snapshot on, not before', () => {
  const world = new Arms({ means: [0.5, 0.5], rewards: { kind: 'bernoulli' }, drift: { kind: 'none' } });
  const learner = new SimulatedLearner(world, { seed: 1, policy: GREEDY, pendingExposure: true });
  const { decision, slots } = learner.decide(UNIT(0), 0);
  const { armIndex } = slots[0]!;
  learner.reward(decision, { armId: decision.slots[0]!.armId, revision: 0, value: 1, isLast: true }, 0);
  const probabilities = () => [...learner.decide(UNIT(1), 1).slots[0]!.probabilities];
  expect(probabilities()).toEqual([0.5, 0.5]);
  learner.publish(1);
  expect(learner.decide(UNIT(2), 2).slots[0]!.probabilities[armIndex]).toBe(1);
});

test('arms that went are no longer eligible, arms that came are', () => {
  const random = seededRandom(1);
  const world = new Albums({ albums: 6, newADay: 2, stepsADay: 1, slots: 1 }, random);
  world.nextUnit(random);
  const learner = new SimulatedLearner(world, { seed: 1, policy: GREEDY, pendingExposure: true });
  learner.redefine(world, 0);
  expect(learner.decide(UNIT(0), 0).slots[0]!.eligible).toEqual([0, 1, 2, 3, 4, 5]);
  world.nextUnit(random);
  learner.redefine(world, 1);
  expect(learner.decide(UNIT(1), 1).slots[0]!.eligible).toEqual([2, 3, 4, 5, 6, 7]);
});

test('what is older than its window is forgotten', () => {
  const world = new Arms({ means: [0.5, 0.5], rewards: { kind: 'bernoulli' }, drift: { kind: 'none' } });
  const learner = new SimulatedLearner(world, {
    seed: 1,
    policy: parsePolicy('epsilon-greedy:epsilon=0:window=100'),
    pendingExposure: true,
  });
  const learn = (step: number, value: number) => {
    const { decision, slots } = learner.decide(UNIT(step), step);
    const { armIndex } = slots[0]!;
    learner.reward(decision, { armId: decision.slots[0]!.armId, revision: 0, value, isLast: true }, step);
    learner.publish(step + 1);
    return armIndex;
  };
  const probabilities = (step: number) => [...learner.decide(UNIT(step), step).slots[0]!.probabilities];
  const won = learn(0, 1);
  learn(95, 0);
  expect(probabilities(96)[won]).toBe(1);
  // The first decision's cohort of ten steps is a hundred steps older than this one's.
  learn(100, 0);
  expect(probabilities(101)).toEqual([0.5, 0.5]);
});

test('albums in two slots learn each from their own reward, and a new one has the prior', () => {
  const random = seededRandom(1);
  const world = new Albums({ albums: 5, newADay: 1, stepsADay: 1, slots: 2 }, random);
  world.nextUnit(random);
  const learner = new SimulatedLearner(world, { seed: 4, policy: parsePolicy('beta-ts'), pendingExposure: true });
  const { decision, slots } = learner.decide(UNIT(0), 0);
  const [liked, disliked] = slots.map(({ armIndex }) => armIndex) as [number, number];
  for (const [slot, value] of [1, 0].entries()) {
    learner.reward(decision, { armId: decision.slots[slot]!.armId, revision: 0, value, isLast: slot === 1 }, 0);
  }
  expect(learner.counts).toMatchObject({ decisionsJoined: 1, rewardsJoined: 2 });
  learner.publish(1);
  const [first] = learner.decide(UNIT(1), 1).slots;
  const untried = [0, 1, 2, 3, 4].filter((arm) => arm !== liked && arm !== disliked);
  expect(first!.probabilities[liked]).toBeGreaterThan(first!.probabilities[untried[0]!]!);
  expect(first!.probabilities[untried[0]!]).toBeGreaterThan(first!.probabilities[disliked]!);

  world.nextUnit(random);
  learner.redefine(world, 2);
  const [after] = learner.decide(UNIT(2), 2).slots;
  expect(after!.eligible).toEqual([1, 2, 3, 4, 5]);
  const probabilityOf = (arm: number) => after!.probabilities[after!.eligible.indexOf(arm)]!;
  const alike = [5, ...untried.filter((arm) => arm > 0)].map(probabilityOf);
  for (const p of alike) expect(p).toBeCloseTo(alike[0]!, 13);
});
