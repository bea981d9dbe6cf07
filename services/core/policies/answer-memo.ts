/**
 * Remembers the answers for contexts and subsets of the arms, so that the first request of its kind pays for the rest.
 * Owns at most CELLS_MAX numbers; what was not asked for the longest goes first.
 */

const CELLS_MAX = 2 ** 20;

interface Entry {
  readonly context: Float64Array;
  readonly eligible: readonly number[];
  readonly values: Float64Array;
}

export class AnswerMemo {
  private readonly compute: (context: Float64Array, eligible: readonly number[]) => Float64Array;
  private readonly entriesMax: number;
  /** By hash of context and subset; of two that collide the later one stays. */
  private readonly entries = new Map<number, Entry>();

  /** @param armCount of all arms. @param compute must depend on nothing else than its arguments. */
  constructor(armCount: number, compute: (context: Float64Array, eligible: readonly number[]) => Float64Array) {
    this.compute = compute;
    this.entriesMax = Math.max(1, Math.floor(CELLS_MAX / armCount));
  }

  /** @param eligible arm indices, ascending. @returns the remembered vector itself: copy before changing it. */
  find(context: Float64Array, eligible: readonly number[]): Float64Array {
    const hash = hashOf(eligible, hashOf(context, 0x811c9dc5));
    const known = this.entries.get(hash);
    if (known === undefined || !same(known.context, context) || !same(known.eligible, eligible)) {
      return this.add(hash, context, eligible);
    }
    this.entries.delete(hash);
    this.entries.set(hash, known);
    return known.values;
  }

  get size(): number {
    return this.entries.size;
  }

  private add(hash: number, context: Float64Array, eligible: readonly number[]): Float64Array {
    const values = this.compute(context, eligible);
    this.entries.delete(hash);
    for (const oldest of this.entries.keys()) {
      if (this.entries.size < this.entriesMax) break;
      this.entries.delete(oldest);
    }
    this.entries.set(hash, { context: context.slice(), eligible: eligible.slice(), values });
    return values;
  }
}

/** FNV-1a over the numbers' whole parts. */
function hashOf(numbers: ArrayLike<number>, start: number): number {
  let hash = start;
  for (let i = 0; i < numbers.length; i++) hash = Math.imul(hash ^ numbers[i]!, 0x01000193);
  return hash;
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
