/**
 * LinUCB with hybrid linear models (Li, Chu, Langford & Schapire 2010, algorithm 2): E[r] = zᵀβ + xᵀθ, where β is shared by
 * all arms and z = g ⊗ x, with g = (1, the arm's attributes). So arms borrow strength from all others through the 1, and
 * from those with similar attributes through the rest.
 *
 * As z is linear in x given the arm, the shared sums follow from the arm's own, with G = Σxxᵀ, A = λI + G and B = Σxzᵀ:
 * Σzzᵀ = ggᵀ ⊗ G, B = gᵀ ⊗ G and Σzzᵀ − BᵀA⁻¹B = ggᵀ ⊗ λ(I − λA⁻¹). With u = Σ_q g_q β_q, a prior mean for the arm, the
 * algorithm's estimate and width become xᵀA⁻¹(Σrx + λu) and xᵀ(A⁻¹ + λ²A⁻¹HA⁻¹)x, H = (gᵀ ⊗ I) A₀⁻¹ (g ⊗ I): a
 * vector and a matrix an arm, served as those of disjoint models are.
 */
import { Corrupt, Invalid } from '../errors.ts';
import { choleskyFactor, choleskyInverse, choleskySolve } from '../numerics/cholesky.ts';
import { LINUCB_PARAMETERS, serveUpperBounds } from './linucb.ts';
import type { Policy, PolicyInput } from './policy.ts';
import { fitRidge, type RidgeFit, requireArmsAndContext, ridgeState } from './ridge.ts';
import { parameter } from './state.ts';

/** Of z: its Cholesky factor takes a snapshot's builder about a second then. */
const SHARED_DIMENSION_MAX = 512;

export const linUcbHybrid: Policy = {
  kind: 'linucb-hybrid',
  doc: "As linucb, with part of the model shared by all arms and by the arms' attributes, so that new arms start from what others taught. Deterministic between two snapshots.",
  contextual: true,
  parameters: LINUCB_PARAMETERS,

  prepare(input, parameters) {
    requireArmsAndContext('linucb-hybrid', input);
    const lambda = parameter(parameters, 'lambda');
    const own = fitRidge(input, lambda);
    const attributes = standardised(input.attributes);
    const shared = fitShared(input, lambda, own, attributes);
    return ridgeState(input, combine(input.layout.dimension, lambda, own, attributes, shared));
  },

  serve: serveUpperBounds,
};

/**
 * @returns by arm, g: 1, then each attribute by name with mean 0 and variance 1 over the arms that have it. An arm without
 *   it counts as their mean; an attribute that is the same for all says nothing and is left out.
 */
export function standardised(attributes: readonly ReadonlyMap<string, number>[]): readonly Float64Array[] {
  const names = [...new Set(attributes.flatMap((arm) => [...arm.keys()]))].sort();
  const columns = names.map((name) => standardisedColumn(attributes.map((arm) => arm.get(name))));
  const kept = columns.filter((column) => column !== null);
  return attributes.map((_, arm) => Float64Array.from([1, ...kept.map((column) => column[arm]!)]));
}

function standardisedColumn(values: readonly (number | undefined)[]): readonly number[] | null {
  const known = values.filter((value) => value !== undefined);
  const mean = known.reduce((sum, value) => sum + value / known.length, 0);
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2 / known.length, 0));
  if (!(deviation > Number.EPSILON * Math.abs(mean) * known.length)) return null;
  return values.map((value) => (value === undefined ? 0 : (value - mean) / deviation));
}

interface SharedFit {
  /** β, md cells: g's first entry with all of x, then its second, … */
  readonly beta: Float64Array;
  /** A₀⁻¹, packed lower triangle. */
  readonly inverse: Float64Array;
  /** βᵀb₀: what sharing explains of the squares that disjoint models leave. */
  readonly explained: number;
}

function fitShared(
  { armIds, layout: { dimension } }: PolicyInput,
  lambda: number,
  own: RidgeFit,
  attributes: readonly Float64Array[],
): SharedFit {
  const size = (attributes[0]?.length ?? 1) * dimension;
  if (size > SHARED_DIMENSION_MAX) {
    throw new Invalid(
      'policy-context',
      `linucb-hybrid: ${size / dimension - 1} arm attributes and a context of ${dimension} numbers make ${size} shared ` +
        `coefficients, allowed ${SHARED_DIMENSION_MAX}`,
    );
  }
  const matrix = new Float64Array((size * (size + 1)) / 2);
  for (let i = 0; i < size; i++) matrix[packed(i, i)] = lambda;
  const rewards = new Float64Array(size);
  for (let arm = 0; arm < armIds.length; arm++)
    addArm(matrix, rewards, { dimension, lambda, own, arm, g: attributes[arm]! });
  const factor = choleskyFactor(matrix, size);
  if (factor === null) throw new Corrupt('gram-matrix', 'linucb-hybrid: the shared matrix is not positive definite');
  const beta = choleskySolve(factor, size, rewards);
  const explained = beta.reduce((sum, cell, i) => sum + cell * rewards[i]!, 0);
  return { beta, inverse: choleskyInverse(factor, size), explained };
}

/** A₀ += ggᵀ ⊗ λ(I − λA⁻¹) and b₀ += g ⊗ λA⁻¹Σrx. */
function addArm(
  matrix: Float64Array,
  rewards: Float64Array,
  of: { dimension: number; lambda: number; own: RidgeFit; arm: number; g: Float64Array },
): void {
  const { dimension, lambda, own, arm, g } = of;
  const start = arm * packed(dimension, 0);
  for (let p = 0; p < g.length; p++) {
    for (let i = 0; i < dimension; i++) {
      const row = p * dimension + i;
      rewards[row]! += g[p]! * lambda * own.theta[arm * dimension + i]!;
      for (let column = 0; column <= row; column++) {
        const j = column % dimension;
        const q = (column - j) / dimension;
        const information = lambda * ((i === j ? 1 : 0) - lambda * own.inverse[start + symmetric(i, j)]!);
        matrix[packed(row, column)]! += g[p]! * g[q]! * information;
      }
    }
  }
}

/** @returns by arm, what takes the place of θ and of A⁻¹ in the score. */
function combine(
  dimension: number,
  lambda: number,
  own: RidgeFit,
  attributes: readonly Float64Array[],
  shared: SharedFit,
): RidgeFit {
  const theta = own.theta.slice();
  const inverse = own.inverse.slice();
  const cells = packed(dimension, 0);
  attributes.forEach((g, arm) => {
    const a = dense(own.inverse.subarray(arm * cells, (arm + 1) * cells), dimension);
    const h = blend(shared.inverse, g, dimension);
    const wide = product(product(a, h, dimension), a, dimension);
    for (let i = 0; i < dimension; i++) {
      for (let j = 0; j < dimension; j++) {
        let prior = 0;
        for (let q = 0; q < g.length; q++) prior += g[q]! * shared.beta[q * dimension + j]!;
        theta[arm * dimension + i]! += lambda * a[i * dimension + j]! * prior;
        if (j <= i) inverse[arm * cells + packed(i, j)]! += lambda * lambda * wide[i * dimension + j]!;
      }
    }
  });
  return { theta, inverse, squares: Math.max(own.squares - shared.explained, 0) };
}

/** (gᵀ ⊗ I) M (g ⊗ I), d × d by rows. @param matrix packed. */
function blend(matrix: Float64Array, g: Float64Array, dimension: number): Float64Array {
  const blended = new Float64Array(dimension * dimension);
  for (let p = 0; p < g.length; p++) {
    for (let q = 0; q < g.length; q++) {
      for (let i = 0; i < dimension; i++) {
        for (let j = 0; j < dimension; j++) {
          blended[i * dimension + j]! += g[p]! * g[q]! * matrix[symmetric(p * dimension + i, q * dimension + j)]!;
        }
      }
    }
  }
  return blended;
}

/** Both d × d by rows. */
function product(a: Float64Array, b: Float64Array, dimension: number): Float64Array {
  const result = new Float64Array(dimension * dimension);
  for (let i = 0; i < dimension; i++) {
    for (let k = 0; k < dimension; k++) {
      const factor = a[i * dimension + k]!;
      for (let j = 0; j < dimension; j++) result[i * dimension + j]! += factor * b[k * dimension + j]!;
    }
  }
  return result;
}

function dense(matrix: Float64Array, dimension: number): Float64Array {
  return Float64Array.from({ length: dimension * dimension }, (_, cell) => {
    const j = cell % dimension;
    return matrix[symmetric((cell - j) / dimension, j)]!;
  });
}

/** Where cell (i, j), j ≤ i, of a packed lower triangle is. */
function packed(i: number, j: number): number {
  return (i * (i + 1)) / 2 + j;
}

function symmetric(i: number, j: number): number {
  return i >= j ? packed(i, j) : packed(j, i);
}
