/** What Thompson sampling with exact selection probabilities is, whatever the posteriors. */
import { Bug } from '../errors.ts';
import type { PosteriorFamily } from '../numerics/panel-walk.ts';
import { SelectionGrid } from '../numerics/selection-grid.ts';
import { selectionProbabilities } from '../numerics/selection-probabilities.ts';
import { AnswerMemo } from './answer-memo.ts';
import { pick, shareByWeight } from './best.ts';
import { freshCopy } from './fresh-vector.ts';
import type { ServingPolicy, UsualRequest } from './policy.ts';

/** Answers do not depend on it. */
const NO_CONTEXT = new Float64Array();

/** As many arms may a request lack of the usual ones before it is integrated anew: slots above it, and arms seen already. */
const LEFT_OUT_MAX = 64;

/** One probability for each posterior, Σ = 1. Takes O(K · nodes): at snapshot time, or once for a subset of arms. */
export function selected(family: PosteriorFamily): Float64Array {
  return shareByWeight(selectionProbabilities(family));
}

/**
 * @param whole the probabilities of all arms. @param scores by arm.
 * @param posteriors those of a subset of the arms.
 * @param usual `null` for all arms and one slot.
 */
export function thompsonServing(
  whole: Float64Array,
  scores: Float64Array,
  posteriors: (eligible: readonly number[]) => PosteriorFamily,
  usual: UsualRequest | null,
): ServingPolicy {
  const known = new KnownSet(usual?.eligible ?? [...whole.keys()], posteriors);
  const memo = new AnswerMemo(
    whole.length,
    (_context, eligible) => known.among(eligible) ?? selected(posteriors(eligible)),
  );
  const find = (eligible: readonly number[]) =>
    eligible.length === whole.length ? whole : memo.find(NO_CONTEXT, eligible);
  // Off the request path; and of several slots all but the first lack an arm.
  if (usual !== null) find(usual.eligible);
  if (usual !== null && usual.slots > 1) known.prepare();
  return {
    probabilities: (_context, eligible) => freshCopy(find(eligible)),
    scores: (_context, eligible) => pick(scores, eligible),
  };
}

/** The arms that requests usually choose from, and what it takes to leave a few of them out quickly. */
class KnownSet {
  private readonly arms: readonly number[];
  private readonly posteriors: (arms: readonly number[]) => PosteriorFamily;
  private grid: SelectionGrid | null = null;

  /** @param arms ascending. */
  constructor(arms: readonly number[], posteriors: (arms: readonly number[]) => PosteriorFamily) {
    this.arms = arms;
    this.posteriors = posteriors;
  }

  /** Takes as long as integrating all of them. */
  prepare(): void {
    this.open().without([]);
  }

  /** @returns probabilities of the eligible arms, Σ = 1; `null` when they are not this set less a few arms. */
  among(eligible: readonly number[]): Float64Array | null {
    const lacking = this.lackedBy(eligible);
    const weights = lacking === null ? null : this.open().without(lacking);
    if (lacking === null || weights === null) return null;
    const left = new Float64Array(eligible.length);
    let at = 0;
    let next = 0;
    for (let position = 0; position < weights.length; position++) {
      if (lacking[next] === position) next++;
      else left[at++] = weights[position]!;
    }
    if (at !== left.length) throw new Bug(`${at} arms are left of ${weights.length}, expected ${left.length}`);
    return shareByWeight(left);
  }

  private open(): SelectionGrid {
    this.grid ??= new SelectionGrid(this.posteriors(this.arms));
    return this.grid;
  }

  /** @returns positions in this set, ascending, 1 to LEFT_OUT_MAX; `null` when they are not so many or it is no subset. */
  private lackedBy(eligible: readonly number[]): readonly number[] | null {
    const { arms } = this;
    const count = arms.length - eligible.length;
    if (count < 1 || count > LEFT_OUT_MAX || eligible.length < 1) return null;
    const lacking: number[] = [];
    let next = 0;
    for (let position = 0; position < arms.length && lacking.length <= count; position++) {
      if (arms[position] === eligible[next]) next++;
      else lacking.push(position);
    }
    return next === eligible.length ? lacking : null;
  }
}
