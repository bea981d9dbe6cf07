import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sealSnapshot } from '../../../services/contracts/seal.ts';
import type { InputEvent } from '../../../services/core/events.ts';
import type { DelayMode, Experiment } from '../../../services/core/experiment.ts';
import { MergedSums } from '../../../services/core/learning/merge.ts';
import type { Rules } from '../../../services/core/learning/partition.ts';
import { rolledUpBefore } from '../../../services/core/learning/roll-up.ts';
import { partitionOf } from '../../../services/platform/log/partitioner.ts';
import { experiment, LIMITS, Oracle } from '../../support/core.ts';
import { DAY_MS, type LateWorld, lateEvents, lateExperiment } from '../../support/late-world.ts';

const WORLD: LateWorld = {
  arms: [
    { id: 'A', days: 60, decisions: 150, rate: 0.7 },
    { id: 'B', days: 25, decisions: 50, rate: 0.9 },
  ],
  delayDaysMean: 4,
  windowDays: 14,
  cohortMs: DAY_MS,
  endDay: 70,
};

interface Road {
  readonly partitions: number;
  /** Each partition rolls up after every so many of its events, and at the end; `null` for never. */
  readonly rollUpEvery: number | null;
  /** Cohorts that ended so many days before. */
  readonly rollUpDays: number;
}

/** As partitions learn the events, roll up their closed cohorts, and a publisher merges what they have. */
function merged(events: readonly InputEvent[], definition: Experiment, road: Road): MergedSums {
  const rules: Rules = {
    experiments: new Map([[definition.id, definition]]),
    limits: { ...LIMITS, windowMs: definition.attribution.windowMs, unitSpanMs: DAY_MS },
  };
  const oracles = Array.from({ length: road.partitions }, () => new Oracle(rules));
  const sums = new MergedSums();
  oracles.forEach((oracle, partition) => {
    const own = events.filter((event) => {
      const { unitId } = event.stream === 'decisions' ? event.decision : event.reward;
      return partitionOf(unitId, road.partitions) === partition;
    });
    own.forEach((event, at) => {
      oracle.learn(event);
      if (road.rollUpEvery !== null && at % road.rollUpEvery === 0) rollUp(oracle, definition, event.clockMs, road);
    });
    if (road.rollUpEvery !== null) rollUp(oracle, definition, events.at(-1)!.clockMs, road);
    for (const { cohort, rolledUp, sums: arms } of oracle.state.sums.entries()) {
      if (rolledUp) sums.replaceUpTo(partition, cohort, arms);
      else sums.replace(partition, cohort, arms);
    }
  });
  return sums;
}

function rollUp({ state }: Oracle, definition: Experiment, lowClockMs: number, { rollUpDays }: Road): void {
  const times = { lowClockMs, newestCohort: state.sums.newestCohort(definition.id) };
  state.sums.rollUp(definition.id, rolledUpBefore(definition, times, rollUpDays * DAY_MS));
}

const road: fc.Arbitrary<Road> = fc.record({
  partitions: fc.constantFrom(1, 4, 7),
  rollUpEvery: fc.constantFrom(null, 1, 40),
  rollUpDays: fc.constantFrom(0, 10, 30),
});

it('a snapshot is the same to the bit on 1, 4 and 7 partitions, whatever they rolled up and when', {
  timeout: 60_000,
}, () => {
  let corrected = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e6 }),
      fc.constantFrom<DelayMode>('mature', 'delay-corrected'),
      fc.constantFrom(null, 20 * DAY_MS),
      road,
      (seed, delay, spanMs, taken) => {
        const definition = experiment({
          ...lateExperiment(WORLD, delay),
          forgetting: spanMs === null ? null : { kind: 'half-life', spanMs, sinceVersion: 1 },
        });
        const events = lateEvents(WORLD, seed);
        const plain = { partitions: 1, rollUpEvery: null, rollUpDays: 0 };
        const expected = sealSnapshot(definition, merged(events, definition, plain), new Map());
        expect(sealSnapshot(definition, merged(events, definition, taken), new Map())).toEqual(expected);
        if (expected.arms.some(({ n }) => !Number.isInteger(n))) corrected++;
      },
    ),
    { numRuns: 150 },
  );
  // Else it would say nothing of weights.
  expect(corrected).toBeGreaterThan(30);
});
