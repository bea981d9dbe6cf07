/**
 * Remembers one vector for each subset of arms that was asked for, so that a subset's first request pays for the rest.
 * Owns at most CELLS_MAX numbers; the subset that was not asked for the longest goes first.
 */

const CELLS_MAX = 2 ** 20;

interface Entry {
  readonly eligible: readonly number[];
  readonly values: Float64Array;
}

export class SubsetMemo {
  private readonly whole: Float64Array;
  private readonly compute: (eligible: readonly number[]) => Float64Array;
  private readonly entriesMax: number;
  /** By hash of the subset; of two that collide the later one stays. */
  private readonly entries = new Map<number, Entry>();

  /**
   * @param whole the vector for the set of all arms.
   * @param compute makes the vector for a subset; must depend on nothing else.
   */
  constructor(whole: Float64Array, compute: (eligible: readonly number[]) => Float64Array) {
    this.whole = whole;
    this.compute = compute;
    this.entriesMax = Math.max(1, Math.floor(CELLS_MAX / whole.length));
  }

  /** @param eligible arm indices, ascending. @returns the remembered vector itself: copy before changing it. */
  find(eligible: readonly number[]): Float64Array {
    if (eligible.length === this.whole.length) return this.whole;
    const hash = hashOf(eligible);
    const known = this.entries.get(hash);
    if (known === undefined || !sameArms(known.eligible, eligible)) return this.add(hash, eligible);
    this.entries.delete(hash);
    this.entries.set(hash, known);
    return known.values;
  }

  get size(): number {
    return this.entries.size;
  }

  private add(hash: number, eligible: readonly number[]): Float64Array {
    const values = this.compute(eligible);
    this.entries.delete(hash);
    for (const oldest of this.entries.keys()) {
      if (this.entries.size < this.entriesMax) break;
      this.entries.delete(oldest);
    }
    this.entries.set(hash, { eligible: eligible.slice(), values });
    return values;
  }
}

/** FNV-1a over the indices. */
function hashOf(eligible: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < eligible.length; i++) hash = Math.imul(hash ^ eligible[i]!, 0x01000193);
  return hash;
}

function sameArms(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
