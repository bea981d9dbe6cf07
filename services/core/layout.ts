/**
 * Layouts: arms that are combinations of variants, one of each aspect. An arm stands for its variants by its index, the
 * last aspect's varying fastest. Not here: what is learned of them (policies), and which layouts may be declared (contracts).
 */
import type { ArmId } from './events.ts';
import type { Aspect } from './experiment.ts';

/** In a variant's name it would make two arms alike. */
export const VARIANT_SEPARATOR = '/';

/** In order of definition. @param aspects at least one. */
export function layoutArmIds(aspects: readonly Aspect[]): readonly ArmId[] {
  return aspects
    .map(({ variants }) => variants)
    .reduce((ids, variants) => ids.flatMap((id) => variants.map((variant) => id + VARIANT_SEPARATOR + variant)))
    .map((id) => id as ArmId);
}

/** How far apart arms are that differ by one variant, by aspect. @param counts of variants, by aspect. */
export function layoutStrides(counts: readonly number[]): readonly number[] {
  return counts.map((_, aspect) => product(counts.slice(aspect + 1)));
}

export function armCountOf(aspects: readonly Aspect[]): number {
  return product(aspects.map(({ variants }) => variants.length));
}

function product(factors: readonly number[]): number {
  return factors.reduce((total, factor) => total * factor, 1);
}
