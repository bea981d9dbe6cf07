/**
 * Which layouts an experiment may declare: what makes the arms and the patterns of the context countable. Used by
 * experiment files and by records, so that both refuse the same.
 */
import type { Aspect, Feature, Layout } from '../core/experiment.ts';
import { armCountOf, layoutArmIds, VARIANT_SEPARATOR } from '../core/layout.ts';
import { patternCount } from '../core/patterns.ts';
import { ARMS_MAX, LAYOUT_COUNTS_MAX, TEXT_LENGTH_MAX } from './limits.ts';
import { unknownName } from './nearest.ts';
import type { Path } from './yaml-file.ts';

export interface LayoutProblem {
  /** In the definition. */
  readonly path: Path;
  /** What is wrong and what is allowed. */
  readonly allowed: string;
}

/** @returns everything that is wrong; without any, the arms can be told by `layoutArmIds`. */
export function layoutProblems(layout: Layout, context: readonly Feature[]): readonly LayoutProblem[] {
  const problems = [
    ...aspectProblems(layout.aspects, context),
    ...contextProblems(context),
    ...crossProblems(layout, context),
  ];
  return problems.length > 0 ? problems : sizeProblems(layout.aspects, context);
}

function aspectProblems(aspects: readonly Aspect[], context: readonly Feature[]): LayoutProblem[] {
  const features = context.map(({ name }) => name);
  return aspects.flatMap(({ name, variants }, at): LayoutProblem[] => {
    const path = ['layout', 'aspects', at];
    const problems: LayoutProblem[] = [];
    if (aspects.findIndex((aspect) => aspect.name === name) < at) {
      problems.push({ path: [...path, 'name'], allowed: 'stands twice, allowed once' });
    }
    if (features.includes(name)) {
      problems.push({
        path: [...path, 'name'],
        allowed: 'is a feature of the context too; crosses could not tell them apart',
      });
    }
    if (variants.length < 2) {
      problems.push({ path: [...path, 'variants'], allowed: 'one variant leaves no choice, allowed are 2 or more' });
    }
    for (const [index, variant] of variants.entries()) {
      const allowed = variantProblem(variant, variants.indexOf(variant) < index);
      if (allowed !== null) problems.push({ path: [...path, 'variants', index], allowed });
    }
    return problems;
  });
}

function variantProblem(variant: string, isRepeated: boolean): string | null {
  if (isRepeated) return 'stands twice, allowed once';
  if (!variant.includes(VARIANT_SEPARATOR)) return null;
  return `allowed is text without ${VARIANT_SEPARATOR}, which stands between variants in the names of arms`;
}

function contextProblems(context: readonly Feature[]): LayoutProblem[] {
  return context.flatMap(({ kind, name }, at): LayoutProblem[] =>
    kind === 'number'
      ? [
          {
            path: ['context', at],
            allowed: `layouts learn by pattern of the context, but ${name} is a number; declare ranges as a category`,
          },
        ]
      : [],
  );
}

function crossProblems({ aspects, crosses }: Layout, context: readonly Feature[]): LayoutProblem[] {
  const names = aspects.map(({ name }) => name);
  const known = [...names, ...context.map(({ name }) => name)];
  return crosses.flatMap((cross, at): LayoutProblem[] => {
    const path = ['layout', 'crosses', at];
    const stranger = cross.findIndex((name) => !known.includes(name));
    if (stranger >= 0) {
      return [
        {
          path: [...path, stranger],
          allowed: unknownName('aspect or feature of the context', cross[stranger]!, known),
        },
      ];
    }
    if (cross[0] === cross[1] || !cross.some((name) => names.includes(name))) {
      return [{ path, allowed: 'allowed are two aspects, or an aspect and a feature of the context' }];
    }
    const first = crosses.findIndex((other) => cross.every((name) => other.includes(name)));
    return first < at ? [{ path, allowed: 'stands twice, allowed once' }] : [];
  });
}

function sizeProblems(aspects: readonly Aspect[], context: readonly Feature[]): LayoutProblem[] {
  const arms = armCountOf(aspects);
  if (arms > ARMS_MAX) return [{ path: ['layout', 'aspects'], allowed: `makes ${arms} layouts, allowed ${ARMS_MAX}` }];
  const ids = layoutArmIds(aspects);
  const longest = Math.max(...ids.map((id) => id.length));
  if (longest > TEXT_LENGTH_MAX) {
    return [
      { path: ['layout', 'aspects'], allowed: `makes names of ${longest} characters, allowed ${TEXT_LENGTH_MAX}` },
    ];
  }
  const patterns = patternCount(context);
  if (arms * patterns <= LAYOUT_COUNTS_MAX) return [];
  return [
    {
      path: ['layout', 'aspects'],
      allowed:
        `makes ${arms} layouts, and the context has ${patterns} patterns: ${arms * patterns} counts, allowed ` +
        `${LAYOUT_COUNTS_MAX}; declare fewer variants or fewer values of the context`,
    },
  ];
}
