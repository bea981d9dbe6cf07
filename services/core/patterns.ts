/**
 * The patterns of a context: where all features are booleans, categories and buckets, few vectors can come of encoding
 * one, and each has a number. Digits of a mixed radix, the last feature's varying fastest: false before true, a category
 * that is not declared before those that are; crosses follow from the others.
 */
import { type Crossable, contextDimension, crossed, type Feature, featureWidth, valueCount } from './experiment.ts';

/** How many there are; 1 without context, +∞ with a number in it. */
export function patternCount(context: readonly Feature[]): number {
  return context.reduce((count, feature) => count * digits(feature), 1);
}

/**
 * @param encoded length contextDimension. @param one what stands for 1 in it.
 * @returns `null` when no context encodes as that.
 */
export function patternOf(context: readonly Feature[], encoded: ArrayLike<number>, one: number): number | null {
  let pattern = 0;
  let at = 1;
  for (const feature of context) {
    const width = featureWidth(feature, context);
    if (feature.kind !== 'cross') pattern = pattern * digits(feature) + digitOf(feature, encoded, at, width);
    at += width;
  }
  const meant = patternFeatures(context, pattern);
  for (let i = 0; i < meant.length; i++) if (encoded[i] !== meant[i]! * one) return null;
  return pattern;
}

/** @returns what contexts of that pattern encode as. */
export function patternFeatures(context: readonly Feature[], pattern: number): Float64Array {
  const encoded = new Float64Array(contextDimension(context));
  if (context.length === 0) return encoded;
  encoded[0] = 1;
  const values = valuesOf(context, pattern);
  let at = 1;
  for (const feature of context) {
    const index = feature.kind === 'cross' ? combination(feature, context, values) : values.get(feature.name)!;
    if (feature.kind === 'boolean') encoded[at] = index;
    else if (index >= 0) encoded[at + index] = 1;
    at += featureWidth(feature, context);
  }
  return encoded;
}

function digits(feature: Feature): number {
  switch (feature.kind) {
    case 'boolean':
      return 2;
    case 'category':
      return feature.values.length + 1;
    case 'hash':
      return feature.buckets;
    case 'cross':
      return 1;
    case 'number':
      return Number.POSITIVE_INFINITY;
  }
}

/** The digit if the encoding is one at all; the caller compares. */
function digitOf(feature: Feature, encoded: ArrayLike<number>, at: number, width: number): number {
  let first = 0;
  while (first < width && encoded[at + first] === 0) first++;
  switch (feature.kind) {
    case 'boolean':
      return first === 0 ? 1 : 0;
    case 'hash':
      return first % width;
    default:
      return first === width ? 0 : first + 1;
  }
}

/** @returns by name, the index of its value: −1 for a category that is not declared. */
function valuesOf(context: readonly Feature[], pattern: number): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  let rest = pattern;
  for (const feature of context.toReversed()) {
    const digit = rest % digits(feature);
    rest = (rest - digit) / digits(feature);
    values.set(feature.name, feature.kind === 'category' ? digit - 1 : digit);
  }
  return values;
}

/** @returns −1 where one of the values is not declared. */
function combination(
  { name, of }: Extract<Feature, { readonly kind: 'cross' }>,
  context: readonly Feature[],
  values: ReadonlyMap<string, number>,
): number {
  let index = 0;
  for (const crossedName of of) {
    const feature: Crossable = crossed(name, crossedName, context);
    const value = values.get(crossedName)!;
    if (value < 0) return -1;
    index = index * valueCount(feature) + value;
  }
  return index;
}
