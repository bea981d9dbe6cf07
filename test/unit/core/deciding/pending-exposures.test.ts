import { describe, expect, it } from 'vitest';
import { type DecisionOutcome, decide } from '../../../../services/core/deciding/decide.ts';
import { explainLogged } from '../../../../services/core/deciding/explain.ts';
import { EXPOSURES_MAX, Exposure, PendingExposures } from '../../../../services/core/deciding/pending-exposures.ts';
import { type ServedExperiment, serve } from '../../../../services/core/deciding/served.ts';
import type { ParametersSnapshot } from '../../../../services/core/deciding/snapshot.ts';
import { experiment, request, STAMP, snapshot } from './fixtures.ts';

const DEFINITION = experiment({ floor: 0 });
/** Reflects the first ten decisions of partition 0. */
const SNAPSHOT = snapshot(DEFINITION);

function ucb1(served: ServedExperiment, unit: string): DecisionOutcome {
  return decide(served, request({ unit, algorithm: 'ucb1' }), STAMP);
}

/** Deals and counts in, as a decider does. */
function deal(served: ServedExperiment, pending: PendingExposures, count: number): Exposure[] {
  return Array.from({ length: count }, (_, i) => {
    const exposure = new Exposure(ucb1(served, `user-${i}`));
    pending.add(served, exposure);
    return exposure;
  });
}

/** Of a decision without context. */
function exposureOf(arm: number): Exposure {
  const { decision, slots } = ucb1(serve(DEFINITION, SNAPSHOT), 'any');
  return new Exposure({ decision: { ...decision, features: [] }, slots: [{ ...slots[0]!, armIndex: arm }] });
}

function counted({ policies }: ServedExperiment): number {
  return policies.get('ucb1')!.exposures!.count;
}

/** As `SNAPSHOT`, with these next offsets of decisions, and these decisions an arm without a reward. */
function later(offsets: readonly number[], awaited: readonly number[] = []): ParametersSnapshot {
  return {
    ...SNAPSHOT,
    version: SNAPSHOT.version + 1,
    offsets: offsets.map((decisions, partition) => ({ partition, decisions, rewards: 0 })),
    arms: SNAPSHOT.arms.map((arm, index) => ({ ...arm, pulls: arm.n + (awaited[index] ?? 0) })),
  };
}

describe('pending exposures', () => {
  it('spread what a deterministic policy deals between two snapshots', () => {
    const dealt = (pending: PendingExposures | null) => {
      const served = serve(DEFINITION, SNAPSHOT);
      return new Set(
        Array.from({ length: 100 }, (_, i) => {
          const outcome = ucb1(served, `user-${i}`);
          pending?.add(served, new Exposure(outcome));
          return outcome.slots[0]!.armIndex;
        }),
      );
    };
    expect(dealt(null).size).toBe(1);
    expect(dealt(new PendingExposures()).size).toBe(4);
  });

  it('stand in the decision, whose propensity is still the one that was drawn from', () => {
    const served = serve(DEFINITION, SNAPSHOT);
    const pending = new PendingExposures();
    deal(served, pending, 7);
    const {
      decision,
      slots: [first],
    } = ucb1(served, 'one more');
    const { probabilities, eligible, armIndex } = first!;
    expect(decision.pendingExposures).toBe(7);
    expect(decision.slots[0]!.propensity).toBe(probabilities[eligible.indexOf(armIndex)]);
    expect(decide(served, request({ algorithm: 'beta-ts' }), STAMP).decision.pendingExposures).toBe(0);
  });

  it('make a logged decision one that the snapshot alone cannot explain', () => {
    const served = serve(DEFINITION, SNAPSHOT);
    const alone = ucb1(served, 'first').decision;
    deal(served, new PendingExposures(), 1);
    const after = ucb1(served, 'second').decision;
    expect(explainLogged(serve(DEFINITION, SNAPSHOT), alone, null)).not.toBeNull();
    expect(explainLogged(serve(DEFINITION, SNAPSHOT), after, null)).toBeNull();
  });

  it('are forgotten once a snapshot reflects them, not while they wait for the log or stand beyond its offsets', () => {
    const pending = new PendingExposures();
    const exposures = deal(serve(DEFINITION, SNAPSHOT), pending, 5);
    exposures[0]!.place = { partition: 0, offset: 10 };
    exposures[1]!.place = { partition: 0, offset: 11 };
    exposures[2]!.place = { partition: 1, offset: 3 };
    exposures[3]!.place = { partition: 7, offset: 0 };
    const next = serve(DEFINITION, later([11, 4]));
    pending.countInto(next, later([11, 4]));
    expect(pending.size).toBe(3);
    expect(counted(next)).toBe(3);
    const again = serve(DEFINITION, later([12, 4, 0, 0, 0, 0, 0, 1]));
    pending.countInto(again, later([12, 4, 0, 0, 0, 0, 0, 1]));
    expect(counted(again)).toBe(1);
  });

  it('stay, the newest of each arm, while the snapshot awaits their rewards', () => {
    const pending = new PendingExposures();
    const served = serve(DEFINITION, SNAPSHOT);
    for (const [offset, arm] of [0, 0, 0, 1].entries()) {
      const exposure = exposureOf(arm);
      exposure.place = { partition: 0, offset };
      pending.add(served, exposure);
    }
    const awaiting = later([20], [2, 0]);
    const next = serve(DEFINITION, awaiting);
    pending.countInto(next, awaiting);
    expect(counted(next)).toBe(2);
    const scores = (of: ServedExperiment) => [...of.policies.get('ucb1')!.scores(new Float64Array(), [0, 1])];
    expect(scores(next)[0]).toBeLessThan(scores(serve(DEFINITION, awaiting))[0]!);
    expect(scores(next)[1]).toBe(scores(serve(DEFINITION, awaiting))[1]);
  });

  it('are counted in again, to the same bounds, when the same snapshot is served with a new definition', () => {
    const pending = new PendingExposures();
    const served = serve(DEFINITION, SNAPSHOT);
    deal(served, pending, 9);
    const again = serve(experiment({ floor: 0, version: 4 }), SNAPSHOT);
    pending.countInto(again, SNAPSHOT);
    const scores = ({ policies }: ServedExperiment) => [
      ...policies.get('ucb1')!.scores(new Float64Array(), [0, 1, 2, 3]),
    ];
    expect(scores(again)).toEqual(scores(served));
  });

  it('are remembered up to a limit, the newest ones', () => {
    const pending = new PendingExposures();
    const served = serve(DEFINITION, SNAPSHOT);
    const exposure = exposureOf(0);
    for (let i = 0; i < 3 * EXPOSURES_MAX; i++) pending.add(served, exposure);
    expect(counted(served)).toBe(3 * EXPOSURES_MAX);
    expect(pending.size).toBeLessThan(2 * EXPOSURES_MAX);
    const next = serve(DEFINITION, SNAPSHOT);
    pending.countInto(next, SNAPSHOT);
    expect(counted(next)).toBe(EXPOSURES_MAX);
  });

  it('are none where every policy randomises', () => {
    const definition = experiment({ policies: DEFINITION.policies.filter(({ kind }) => kind === 'beta-ts') });
    const served = serve(definition, snapshot(definition));
    const pending = new PendingExposures();
    pending.add(served, new Exposure(decide(served, request(), STAMP)));
    expect(pending.size).toBe(0);
  });

  it('are none of the holdout, which no arm learns from', () => {
    const definition = experiment({ holdout: { share: 1, armId: DEFINITION.arms[0]!.id } });
    const served = serve(definition, snapshot(definition));
    const pending = new PendingExposures();
    deal(served, pending, 3);
    expect(counted(served)).toBe(0);
    expect(pending.size).toBe(0);
  });
});
