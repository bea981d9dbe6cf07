/** Event lists for tests of the join, and what was learned from them, by arm and in natural units. */
import type { ArmId, InputEvent } from '../../services/core/events.ts';
import type { Counts } from '../../services/core/learning/counts.ts';
import type { Rules } from '../../services/core/learning/partition.ts';
import { REWARD_UNITS } from '../../services/core/quantize.ts';
import { ExactVector } from '../../services/core/sums/exact.ts';
import { N, PULLS, SUM_R, SUM_R_OVER_P, SUM_RR, sumsLayout } from '../../services/core/sums/layout.ts';
import { decision, Oracle, reward, rules, T0 } from './core.ts';

type Overrides<T extends (...args: never[]) => unknown> = Parameters<T>[0] & { readonly clockMs?: number };

/** A decision as the log has it, appended at T0 when not said otherwise. */
export function dealt({ clockMs = T0, ...overrides }: Overrides<typeof decision> = {}): InputEvent {
  return { stream: 'decisions', clockMs, decision: decision(overrides) };
}

/** A reward as the log has it, appended 10 ms after T0 when not said otherwise. */
export function won({ clockMs = T0 + 10, ...overrides }: Overrides<typeof reward> = {}): InputEvent {
  return { stream: 'rewards', clockMs, reward: reward(overrides) };
}

export interface ArmSums {
  readonly pulls: number;
  readonly n: number;
  /** Rewards in [0, 1]. */
  readonly sumR: number;
  readonly sumRR: number;
  readonly sumROverP: number;
}

export class Learned {
  readonly oracle: Oracle;

  constructor(events: readonly InputEvent[], given: Rules = rules()) {
    this.oracle = new Oracle(given);
    for (const event of events) this.oracle.learn(event);
  }

  get counts(): Counts {
    return this.oracle.state.counts;
  }

  /** Over all cohorts and experiments. */
  arm(armId: string): ArmSums {
    const total = new ExactVector(sumsLayout(0).size);
    for (const { sums } of this.oracle.state.sums.entries()) {
      const vector = sums.get(armId as ArmId);
      if (vector !== undefined) total.addVector(vector, 1);
    }
    const cells = total.toNumbers();
    return {
      pulls: cells[PULLS]!,
      n: cells[N]!,
      sumR: cells[SUM_R]! / REWARD_UNITS,
      sumRR: cells[SUM_RR]! / REWARD_UNITS ** 2,
      sumROverP: cells[SUM_R_OVER_P]! / REWARD_UNITS,
    };
  }

  /** Σr of the two arms that the tests deal, and the books. */
  both(): { A: number; B: number; counts: Counts } {
    return { A: this.arm('A').sumR, B: this.arm('B').sumR, counts: this.counts };
  }
}

export function learned(events: readonly InputEvent[], given?: Rules): Learned {
  return new Learned(events, given);
}
