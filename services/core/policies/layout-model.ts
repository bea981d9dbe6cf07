/**
 * What the weights of a logistic model of layouts stand for: an intercept, each number of the encoded context, each variant
 * of each aspect, and each combination that a cross selects. Kept in a snapshot as blocks of numbers, so that what serves
 * needs no definition. Not here: what the weights are.
 */
import { Invalid } from '../errors.ts';
import { contextDimension, type Feature, featureStart, featureWidth, type Layout } from '../experiment.ts';
import { layoutStrides } from '../layout.ts';
import type { AspectPair } from '../numerics/hill-climbing.ts';
import type { PolicyState } from './policy.ts';
import { block } from './state.ts';

/** Of the model's weights: their Cholesky factor takes a snapshot's builder about a quarter of a second a fit then. */
export const LAYOUT_WEIGHTS_MAX = 512;

/** A cross of an aspect with some numbers of the context. */
interface ContextCross {
  readonly aspect: number;
  /** In the weights, where the table of variants (rows) by numbers begins. */
  readonly start: number;
  /** The first of its numbers in the encoded context. */
  readonly from: number;
  readonly width: number;
}

const CONTEXT_CROSS_CELLS = 3;
const PAIR_CELLS = 2;

export class LayoutModel {
  /** How many weights there are. */
  readonly size: number;
  /** Of an encoded context. */
  readonly dimension: number;
  /** By aspect, how many. */
  readonly variants: readonly number[];
  readonly pairs: readonly AspectPair[];
  private readonly contextCrosses: readonly ContextCross[];
  private readonly strides: readonly number[];
  /** By aspect, where its variants' weights begin. */
  private readonly mainStarts: readonly number[];

  /** @param state blocks `variants`, `dimension`, `aspect-crosses` and `context-crosses`. */
  constructor(state: PolicyState) {
    this.variants = [...block(state, 'variants')];
    this.dimension = block(state, 'dimension')[0]!;
    this.strides = layoutStrides(this.variants);
    let at = 1 + Math.max(0, this.dimension - 1);
    const take = (cells: number) => {
      at += cells;
      return at - cells;
    };
    this.mainStarts = this.variants.map(take);
    this.pairs = rowsOf(block(state, 'aspect-crosses'), PAIR_CELLS).map(([first, second]) => ({
      first: first!,
      second: second!,
      start: take(this.variants[first!]! * this.variants[second!]!),
    }));
    this.contextCrosses = rowsOf(block(state, 'context-crosses'), CONTEXT_CROSS_CELLS).map(([aspect, from, width]) => ({
      aspect: aspect!,
      from: from!,
      width: width!,
      start: take(this.variants[aspect!]! * width!),
    }));
    this.size = at;
  }

  get layoutCount(): number {
    return this.variants.reduce((count, variants) => count * variants, 1);
  }

  /** How many numbers `mains` fills. */
  get variantCount(): number {
    return this.variants.reduce((sum, count) => sum + count, 0);
  }

  /** @returns the weights that a layout's log odds in a context are the sum of, ascending. */
  active(arm: number, context: Float64Array): Int32Array {
    const at = this.strides.map((stride, aspect) => Math.floor(arm / stride) % this.variants[aspect]!);
    const weights = [0];
    for (let i = 1; i < context.length; i++) if (context[i] === 1) weights.push(i);
    for (const [aspect, start] of this.mainStarts.entries()) weights.push(start + at[aspect]!);
    for (const { first, second, start } of this.pairs) {
      weights.push(start + at[first]! * this.variants[second]! + at[second]!);
    }
    for (const { aspect, start, from, width } of this.contextCrosses) {
      for (let i = 0; i < width; i++) if (context[from + i] === 1) weights.push(start + at[aspect]! * width + i);
    }
    return Int32Array.from(weights);
  }

  /**
   * What each variant adds in a context, whatever the other variants: its own weight and those of its crosses.
   * @param mains filled, `variantCount` cells. @param offset where this draw's weights begin.
   */
  mains(mains: Float64Array, weights: Float64Array, offset: number, context: Float64Array): void {
    const first = this.mainStarts[0]!;
    for (let i = 0; i < mains.length; i++) mains[i] = weights[offset + first + i]!;
    for (const { aspect, start, from, width } of this.contextCrosses) {
      const own = this.mainStarts[aspect]! - first;
      for (let variant = 0; variant < this.variants[aspect]!; variant++) {
        for (let i = 0; i < width; i++) {
          mains[own + variant]! += weights[offset + start + variant * width + i]! * context[from + i]!;
        }
      }
    }
  }
}

/**
 * @returns the blocks that a LayoutModel is made of.
 * @throws Invalid `policy-layout` when a cross names what is not there, or the weights are too many.
 */
export function layoutModelState(layout: Layout, context: readonly Feature[]): PolicyState {
  const aspects = layout.aspects.map(({ name }) => name);
  const pairs: number[] = [];
  const contextCrosses: number[] = [];
  for (const cross of layout.crosses) {
    const [first, second] = cross.map((name) => aspects.indexOf(name)) as [number, number];
    if (first >= 0 && second >= 0 && first !== second) {
      pairs.push(first, second);
      continue;
    }
    const at = context.findIndex(({ name }) => cross.includes(name));
    if (Math.max(first, second) < 0 || at < 0) {
      throw new Invalid(
        'policy-layout',
        `cross ${cross.join(' × ')}: allowed are two aspects, or an aspect and a feature of the context; aspects are ` +
          `${aspects.join(', ')}, features ${context.map(({ name }) => name).join(', ') || 'none'}`,
      );
    }
    contextCrosses.push(Math.max(first, second), featureStart(at, context), featureWidth(context[at]!, context));
  }
  const state: PolicyState = new Map([
    ['variants', Float64Array.from(layout.aspects, ({ variants }) => variants.length)],
    ['dimension', Float64Array.of(contextDimension(context))],
    ['aspect-crosses', Float64Array.from(pairs)],
    ['context-crosses', Float64Array.from(contextCrosses)],
  ]);
  const { size } = new LayoutModel(state);
  if (size <= LAYOUT_WEIGHTS_MAX) return state;
  throw new Invalid('policy-layout', `the layout's model has ${size} weights, allowed ${LAYOUT_WEIGHTS_MAX}`);
}

/** @param width of a row; 0 for none at all. */
export function rowsOf(cells: Float64Array, width: number): Float64Array[] {
  const count = width === 0 ? 0 : cells.length / width;
  return Array.from({ length: count }, (_, row) => cells.slice(row * width, (row + 1) * width));
}
