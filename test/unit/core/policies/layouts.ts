/** Sums of experiments with a layout, for tests of what learns from them. */
import type { ArmId } from '../../../../services/core/events.ts';
import { contextDimension, type Feature, type Layout } from '../../../../services/core/experiment.ts';
import { layoutArmIds } from '../../../../services/core/layout.ts';
import { layoutSums } from '../../../../services/core/learning/layout-sums.ts';
import { patternCount } from '../../../../services/core/patterns.ts';
import type { PolicyInput } from '../../../../services/core/policies/policy.ts';
import { patternLayout, sumsLayout, VECTOR_START } from '../../../../services/core/sums/layout.ts';

/** One country of two or another one, and whether the visitor was here before: 6 patterns. */
export const CONTEXT: readonly Feature[] = [
  { kind: 'category', name: 'country', values: ['BR', 'DE'] },
  { kind: 'boolean', name: 'returning' },
];

/** Three variants of each of three aspects, every cross that there is. */
export const PAGE: Layout = {
  aspects: ['headline', 'image', 'button'].map((name) => ({ name, variants: ['1', '2', '3'] })),
  crosses: [
    ['headline', 'image'],
    ['headline', 'button'],
    ['image', 'button'],
    ['headline', 'country'],
    ['image', 'country'],
    ['button', 'country'],
    ['headline', 'returning'],
    ['image', 'returning'],
    ['button', 'returning'],
  ],
};

export interface Count {
  readonly arm: number;
  readonly pattern: number;
  readonly n: number;
  readonly sumR: number;
}

/** What a policy would get of these counts. */
export function countedInput(
  counts: readonly Count[],
  layout: Layout = PAGE,
  context: readonly Feature[] = CONTEXT,
): Required<Omit<PolicyInput, 'delayCorrected'>> {
  const armIds = layoutArmIds(layout.aspects);
  const patterns = patternCount(context);
  const kept = armIds.map(() => new Float64Array(patternLayout(patterns).size));
  for (const { arm, pattern, n, sumR } of counts) {
    kept[arm]![VECTOR_START + pattern]! += n;
    kept[arm]![VECTOR_START + patterns + pattern]! += sumR;
  }
  const { sums, layouts } = layoutSums(kept, layout, context);
  const attributes = armIds.map((): ReadonlyMap<string, number> => new Map());
  return {
    layout: sumsLayout(contextDimension(context)),
    armIds: armIds as readonly ArmId[],
    attributes,
    sums,
    layouts,
  };
}
