/** An encoded context by the names of its features, as far as the encoding can be read back. */
import type { Feature } from '../core/experiment.ts';

export interface NamedValue {
  readonly name: string;
  /** Numbers are rounded to the grid; a category that is not declared is `null`. */
  readonly value: boolean | number | string | null;
  /** Its part of the vector. */
  readonly encoded: readonly number[];
}

/** @param encoded length contextDimension: an intercept, then the features; or empty. */
export function namedContext(features: readonly Feature[], encoded: readonly number[]): readonly NamedValue[] {
  let at = 1;
  return features.map((feature) => {
    const length = feature.kind === 'category' ? feature.values.length : 1;
    const part = encoded.slice(at, at + length);
    at += length;
    return { name: feature.name, value: readBack(feature, part), encoded: part };
  });
}

function readBack(feature: Feature, part: readonly number[]): NamedValue['value'] {
  switch (feature.kind) {
    case 'boolean':
      return part[0] === 1;
    case 'number':
      return (part[0] ?? 0) * feature.scale + feature.mean;
    case 'category':
      return feature.values[part.indexOf(1)] ?? null;
  }
}
