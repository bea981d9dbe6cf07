/** Draws from a Beta distribution with whole parameters. */
import type { Random } from '../core/random.ts';

/** @returns the alpha-th smallest of alpha + beta − 1 uniform numbers, which is Beta(alpha, beta). Both are whole, from 1. */
export function betaOfOrder(
  { alpha, beta }: { readonly alpha: number; readonly beta: number },
  random: Random,
): number {
  const uniforms = Float64Array.from({ length: alpha + beta - 1 }, () => random.next());
  return uniforms.sort()[alpha - 1]!;
}
