/**
 * The contract of a policy: statistics (and a context) in, a probability vector over the eligible arms out.
 * A policy never draws, never floors and never filters; deciding/ does, in that order: score → probabilities → sample.
 */
import type { ArmId } from '../events.ts';
import type { Feature, Layout } from '../experiment.ts';
import type { SumsLayout } from '../sums/layout.ts';

export interface ParameterSpec {
  readonly name: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

/** Sums of all arms of one experiment at snapshot time, merged over partitions and weighed over cohorts. */
export interface PolicyInput {
  readonly layout: SumsLayout;
  /** In definition order, retired ones included. */
  readonly armIds: readonly ArmId[];
  /** By arm: the numbers that its definition gives. */
  readonly attributes: readonly ReadonlyMap<string, number>[];
  /** One vector an arm (layout.size cells), in natural units: rewards in [0, 1], features as encoded. */
  readonly sums: readonly Float64Array[];
  /**
   * n, Σx·xᵀ and n by pattern are scaled to the share of rewards that has had time to come. Σr is at most n still, but sums
   * over features may have more reward than exposure, by chance.
   */
  readonly delayCorrected?: true;
  /** Absent where arms are named one by one. */
  readonly layouts?: LayoutInput;
}

/** What is learned of the arms of a layout, beside the sums: how often each was dealt to, and what it earned of, whom. */
export interface LayoutInput {
  readonly layout: Layout;
  /** What crosses with features of the context refer to. */
  readonly context: readonly Feature[];
  /** By pattern, what its contexts encode as: length d each. */
  readonly patterns: readonly Float64Array[];
  /** One table an arm: n by pattern, then Σr by pattern. */
  readonly counts: readonly Float64Array[];
}

/** What a snapshot carries for one policy: named blocks of numbers, indexed by arm in definition order. */
export type PolicyState = ReadonlyMap<string, Float64Array>;

export interface Policy {
  readonly kind: string;
  readonly doc: string;
  /** Whether `probabilities` reads the context. */
  readonly contextual: boolean;
  /** Whether every feature must be 0 or 1, which leaves out numbers. */
  readonly indicatorsOnly?: true;
  /** Whether it learns from counts by pattern of the context, which only experiments with a layout keep. */
  readonly layoutsOnly?: true;
  readonly parameters: readonly ParameterSpec[];

  /**
   * Snapshot time.
   * @throws Corrupt when the sums cannot be what the learner keeps (a Gram matrix not positive definite);
   *   Invalid when a contextual policy meets an experiment without context.
   */
  prepare(input: PolicyInput, parameters: ReadonlyMap<string, number>): PolicyState;

  /**
   * Builds what serves requests from a snapshot, off the request path.
   * @param parameters the same validated parameters that `prepare` was given.
   * @param usual what to be ready for; `null` for all arms and one slot.
   */
  serve(state: PolicyState, parameters: ReadonlyMap<string, number>, usual: UsualRequest | null): ServingPolicy;
}

/** What most requests are like: answers to them are made ready beforehand, others are right but may take longer. */
export interface UsualRequest {
  /** Arm indices, ascending, at least one. */
  readonly eligible: readonly number[];
  readonly slots: number;
}

export interface ServingPolicy {
  /**
   * @param context encoded, length d; empty without context.
   * @param eligible arm indices, ascending, at least one.
   * @returns a fresh vector, the caller's to change: one probability for each entry of `eligible`, Σ = 1 ± 1e-9.
   */
  probabilities(context: Float64Array, eligible: readonly number[]): Float64Array;

  /** The score behind each probability (mean, upper bound, …), for `explain` and debugging; same order as `eligible`. */
  scores(context: Float64Array, eligible: readonly number[]): Float64Array;

  /** Whether the probabilities are estimated by trial. They are what is drawn from and logged all the same. */
  readonly approximate?: true;

  /** Of a policy that is deterministic between two snapshots; absent where draws spread decisions by themselves. */
  readonly exposures?: Exposures;
}

/**
 * Decisions dealt since the snapshot was built, counted into what is known of their arms: bounds narrow and means stay, as
 * if each reward were going to be what is expected of it (GP-BUCB; Desautels, Krause & Burdick 2014, section 4). So an arm
 * that everybody would be dealt loses its lead while it is dealt.
 */
export interface Exposures {
  /** How many have been added. */
  readonly count: number;
  /** @param context encoded, of any array kind. @param arm index; the snapshot must have it. */
  add(context: ArrayLike<number>, arm: number): void;
}

/** @param narrow takes one decision into account. */
export function countedExposures(narrow: (context: ArrayLike<number>, arm: number) => void): Exposures {
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(context, arm) {
      count += 1;
      narrow(context, arm);
    },
  };
}
