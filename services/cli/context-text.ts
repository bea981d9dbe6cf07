/** An encoded context by the names of its features, as far as the encoding can be read back. */
import { crossed, type Feature, featureWidth, valueCount } from '../core/experiment.ts';

export interface NamedValue {
  readonly name: string;
  /** Numbers are rounded to the grid; a hashed text is its bucket; a category that is not declared, or crossed, is `null`. */
  readonly value: boolean | number | string | null;
  /** Its part of the vector. */
  readonly encoded: readonly number[];
}

/** @param encoded length contextDimension: an intercept, then the features; or empty. */
export function namedContext(features: readonly Feature[], encoded: readonly number[]): readonly NamedValue[] {
  let at = 1;
  return features.map((feature) => {
    const length = featureWidth(feature, features);
    const part = encoded.slice(at, at + length);
    at += length;
    return { name: feature.name, value: readBack(feature, part, features), encoded: part };
  });
}

function readBack(feature: Feature, part: readonly number[], features: readonly Feature[]): NamedValue['value'] {
  switch (feature.kind) {
    case 'boolean':
      return part[0] === 1;
    case 'number':
      return (part[0] ?? 0) * feature.scale + feature.mean;
    case 'category':
      return feature.values[part.indexOf(1)] ?? null;
    case 'hash':
      return part.includes(1) ? `bucket ${part.indexOf(1)}` : null;
    case 'cross':
      return part.includes(1) ? combination(feature, part.indexOf(1), features) : null;
  }
}

function combination(
  { name, of }: Extract<Feature, { readonly kind: 'cross' }>,
  index: number,
  features: readonly Feature[],
): string {
  let rest = index;
  const values = of.toReversed().map((crossedName) => {
    const feature = crossed(name, crossedName, features);
    const value = rest % valueCount(feature);
    rest = (rest - value) / valueCount(feature);
    return feature.kind === 'boolean' ? String(value === 1) : feature.values[value]!;
  });
  return values.toReversed().join(' × ');
}
