/**
 * From a request's named values to the vector that policies and sums use. Only declared features are read, so nothing
 * that the definition does not name can enter the log.
 */
import { uniform53 } from '../allocation/hash.ts';
import type { Context, ContextValue } from '../context.ts';
import { Invalid } from '../errors.ts';
import { type Crossable, contextDimension, crossed, type Feature, featureWidth, valueCount } from '../experiment.ts';
import { FEATURE_MAX, FEATURE_UNITS, quantizeFeature } from '../quantize.ts';

export interface EncodedContext {
  /** Length contextDimension: 1, then the features in order of definition, each on the feature grid. */
  readonly features: Float64Array;
  /** How many numbers lay outside ±FEATURE_MAX after standardising and were cut to it. */
  readonly clipped: number;
}

/** @throws Invalid `context` naming the feature, its value and what is allowed. */
export function encodeContext(features: readonly Feature[], context: Context): EncodedContext {
  const encoded = new Float64Array(contextDimension(features));
  return { features: encoded, clipped: encodeContextInto(encoded, features, context) };
}

/** @param encoded length contextDimension, written over. @returns `clipped`. @throws as `encodeContext` does. */
export function encodeContextInto(encoded: Float64Array, features: readonly Feature[], context: Context): number {
  if (features.length === 0) return 0;
  encoded.fill(0);
  encoded[0] = 1;
  let at = 1;
  let clipped = 0;
  for (const feature of features) {
    switch (feature.kind) {
      case 'number': {
        const standardised = (numberOf(feature.name, context) - feature.mean) / feature.scale;
        const kept = Math.min(Math.max(standardised, -FEATURE_MAX), FEATURE_MAX);
        if (kept !== standardised) clipped++;
        encoded[at] = quantizeFeature(kept) / FEATURE_UNITS;
        break;
      }
      case 'boolean':
        encoded[at] = valueIndex(feature, context);
        break;
      case 'category':
        setOne(encoded, at, valueIndex(feature, context));
        break;
      case 'hash':
        setOne(encoded, at, hashBucket(feature, textOf(feature.name, context)));
        break;
      case 'cross':
        setOne(encoded, at, combinationIndex(feature, features, context));
        break;
    }
    at += featureWidth(feature, features);
  }
  return clipped;
}

/** The same in every language: u in [0, 1) of the feature's name as salt and the value as unit (allocation/hash.ts), times the buckets. */
export function hashBucket({ name, buckets }: Extract<Feature, { readonly kind: 'hash' }>, value: string): number {
  return Math.floor(uniform53(name, value) * buckets);
}

/** @param index −1 for none. */
function setOne(encoded: Float64Array, at: number, index: number): void {
  if (index >= 0) encoded[at + index] = 1;
}

/** @returns −1 for a category that is not declared. */
function valueIndex(feature: Crossable, context: Context): number {
  if (feature.kind === 'category') return feature.values.indexOf(textOf(feature.name, context));
  const value = context.get(feature.name);
  if (typeof value !== 'boolean') throw refused(feature.name, value, 'true or false');
  return value ? 1 : 0;
}

/** @returns −1 when one of the values is not declared. */
function combinationIndex(
  { name, of }: Extract<Feature, { readonly kind: 'cross' }>,
  features: readonly Feature[],
  context: Context,
): number {
  let combination = 0;
  for (const crossedName of of) {
    const feature = crossed(name, crossedName, features);
    const index = valueIndex(feature, context);
    if (index < 0) return -1;
    combination = combination * valueCount(feature) + index;
  }
  return combination;
}

function numberOf(name: string, context: Context): number {
  const value = context.get(name);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw refused(name, value, 'a finite number');
}

function textOf(name: string, context: Context): string {
  const value = context.get(name);
  if (typeof value === 'string') return value;
  throw refused(name, value, 'a string');
}

const VALUE_CHARS_MAX = 100;

function refused(name: string, value: ContextValue | undefined, allowed: string): Invalid {
  const shown =
    value === undefined
      ? 'missing'
      : typeof value === 'string'
        ? JSON.stringify(value.slice(0, VALUE_CHARS_MAX))
        : value;
  return new Invalid('context', `context feature ${name} is ${shown}, allowed is ${allowed}`);
}
