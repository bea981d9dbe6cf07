/**
 * How often each layout is the best, by draws of a model's weights from their posterior. Owns the draws, made once, and
 * scratch. The draws' seed comes of the posterior itself and each climb's of the context too, so that equal snapshots give
 * equal answers to the bit, whoever serves them, and different ones err differently.
 */
import { Invalid } from '../errors.ts';
import { type ClimbOptions, type LayoutScores, LayoutSearch } from '../numerics/hill-climbing.ts';
import { seededRandom } from '../random.ts';
import { mixEvenly, shareByWeight } from './best.ts';
import type { LayoutModel } from './layout-model.ts';
import type { PolicyState } from './policy.ts';
import { block, parameter } from './state.ts';

export class LayoutSampler {
  private readonly model: LayoutModel;
  private readonly seed: number;
  private readonly draws: number;
  /** By draw, a weight for each of the model's. */
  private readonly weights: Float64Array;
  private readonly search: LayoutSearch;
  private readonly mains: Float64Array;
  private readonly restarts: number;
  private readonly stepsMax: number;
  private readonly epsilon: number;

  /** @param state blocks `mean` and `precision`. */
  constructor(model: LayoutModel, state: PolicyState, parameters: ReadonlyMap<string, number>) {
    const mean = block(state, 'mean');
    this.model = model;
    this.seed = hashOf(mean);
    this.draws = Math.floor(parameter(parameters, 'draws'));
    this.weights = drawWeights(mean, block(state, 'precision'), this.draws, this.seed);
    this.search = new LayoutSearch(model);
    this.mains = new Float64Array(model.variantCount);
    this.restarts = Math.floor(parameter(parameters, 'restarts'));
    this.stepsMax = Math.floor(parameter(parameters, 'steps'));
    this.epsilon = parameter(parameters, 'epsilon');
  }

  /**
   * @param eligible indices of layouts, ascending. @returns one for each, none 0.
   * @throws Invalid `arms-none`.
   */
  probabilities(context: Float64Array, eligible: readonly number[]): Float64Array {
    if (eligible.length === 0) throw new Invalid('arms-none', 'no arm is eligible, at least one is needed');
    const { model, weights, mains, draws } = this;
    const places = placesOf(eligible, model.layoutCount);
    const mask = eligible.length === model.layoutCount ? null : Uint8Array.from(places, (place) => (place < 0 ? 0 : 1));
    const random = seededRandom((hashOf(context) >>> 11) * 2 ** 32 + this.seed);
    const options: ClimbOptions = { restarts: this.restarts, stepsMax: this.stepsMax, random };
    const found = new Float64Array(eligible.length);
    for (let draw = 0; draw < draws; draw++) {
      const scores: LayoutScores = { mains, weights, offset: draw * model.size };
      model.mains(mains, weights, scores.offset, context);
      found[places[this.search.climb(scores, eligible, mask, options)]!]! += 1;
    }
    return mixEvenly(shareByWeight(found), this.epsilon);
  }
}

/** Independent normals around the most probable weights (Chapelle & Li 2011, Algorithm 3). */
function drawWeights(mean: Float64Array, precision: Float64Array, draws: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const deviations = precision.map((q) => 1 / Math.sqrt(q));
  const weights = new Float64Array(draws * mean.length);
  for (let i = 0; i < weights.length; i++) {
    const at = i % mean.length;
    weights[i] = mean[at]! + deviations[at]! * random.normal();
  }
  return weights;
}

/** @returns by layout, where it stands among the eligible; −1 for the others. */
function placesOf(eligible: readonly number[], layoutCount: number): Int32Array {
  const places = new Int32Array(layoutCount).fill(-1);
  for (const [place, layout] of eligible.entries()) places[layout] = place;
  return places;
}

/** FNV-1a over the bits, the same on every machine. @returns from 0 to 2³² − 1. */
function hashOf(numbers: Float64Array): number {
  const bits = new DataView(new ArrayBuffer(8));
  let hash = 0x811c9dc5;
  for (const value of numbers) {
    bits.setFloat64(0, value);
    hash = Math.imul(hash ^ bits.getInt32(0), 0x01000193);
    hash = Math.imul(hash ^ bits.getInt32(4), 0x01000193);
  }
  return hash >>> 0;
}
