/**
 * From a request's named values to the vector that policies and sums use. Only declared features are read, so nothing
 * that the definition does not name can enter the log.
 */
import { Invalid } from './errors.ts';
import { contextDimension, type Feature } from './experiment.ts';
import { FEATURE_MAX, FEATURE_UNITS, quantizeFeature } from './quantize.ts';

export type ContextValue = boolean | number | string;

export interface EncodedContext {
  /** Length contextDimension: 1, then the features in order of definition, each on the feature grid. */
  readonly features: Float64Array;
  /** How many numbers lay outside ±FEATURE_MAX after standardising and were cut to it. */
  readonly clipped: number;
}

/** @throws Invalid `context` naming the feature, its value and what is allowed. */
export function encodeContext(
  features: readonly Feature[],
  context: ReadonlyMap<string, ContextValue>,
): EncodedContext {
  const encoded = new Float64Array(contextDimension(features));
  if (features.length === 0) return { features: encoded, clipped: 0 };
  encoded[0] = 1;
  let at = 1;
  let clipped = 0;
  for (const feature of features) {
    const value = context.get(feature.name);
    switch (feature.kind) {
      case 'boolean':
        if (typeof value !== 'boolean') throw refused(feature.name, value, 'true or false');
        encoded[at++] = value ? 1 : 0;
        break;
      case 'number': {
        if (typeof value !== 'number' || !Number.isFinite(value)) {
          throw refused(feature.name, value, 'a finite number');
        }
        const standardised = (value - feature.mean) / feature.scale;
        const kept = Math.min(Math.max(standardised, -FEATURE_MAX), FEATURE_MAX);
        if (kept !== standardised) clipped++;
        encoded[at++] = quantizeFeature(kept) / FEATURE_UNITS;
        break;
      }
      case 'category': {
        if (typeof value !== 'string') throw refused(feature.name, value, 'a string');
        const index = feature.values.indexOf(value);
        if (index >= 0) encoded[at + index] = 1;
        at += feature.values.length;
        break;
      }
    }
  }
  return { features: encoded, clipped };
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
