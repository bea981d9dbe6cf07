/**
 * What the decider does, whatever the transport: decides from memory, hands decisions and rewards to the log's buffers,
 * tells statistics. Deciding is synchronous: nothing in it can wait for the network.
 */
import type { Codecs } from '../contracts/codec.ts';
import { type DecisionOutcome, decide, policyKind } from '../core/deciding/decide.ts';
import { type Explanation, explain, scoresOf } from '../core/deciding/explain.ts';
import { Exposure } from '../core/deciding/pending-exposures.ts';
import type { ServedExperiment } from '../core/deciding/served.ts';
import { CroupierError, Invalid, Unavailable } from '../core/errors.ts';
import type { DecisionId, Reward } from '../core/events.ts';
import type { Experiment } from '../core/experiment.ts';
import type { BatchAppender } from '../platform/log/batch-appender.ts';
import { checkDecide, checkReward, type DecideInput, type RewardInput } from './requests.ts';
import type { Served, ServedExperiments } from './served-experiments.ts';
import { type ExperimentStatistics, estimatedRegret, statisticsOf } from './statistics.ts';

export interface DeciderOptions {
  readonly served: ServedExperiments;
  readonly codecs: Pick<Codecs, 'decision' | 'reward'>;
  readonly decisions: BatchAppender;
  readonly rewards: BatchAppender;
  /** Whether definitions have been read from anywhere: until then an unknown experiment may exist. */
  knowsDefinitions(): boolean;
  readonly clock: Clock;
  /** A new id at each call, sorting by the time given. */
  newId(timeMs: number): string;
  readonly batchRequestsMax: number;
  readonly rewardMsMax: number;
  readonly observer: DeciderObserver;
}

export interface Clock {
  /** Of the world, for events. */
  nowMs(): number;
  /** Never steps back, for durations. */
  monotonicMs(): number;
}

export interface DeciderObserver {
  decided(outcome: DecisionOutcome, facts: { readonly estimatedRegret: number; readonly durationMs: number }): void;
  /** The fallback arm was dealt and not logged, since the buffer is full. */
  unlogged(outcome: DecisionOutcome): void;
  /** One request of a batch; what fails alone is thrown. */
  refusedInBatch(error: CroupierError): void;
  /** @param learning the experiments that learn from it. */
  rewarded(reward: Reward, learning: readonly Experiment[]): void;
}

export interface Dealt {
  readonly outcome: DecisionOutcome;
  readonly served: Served;
  /** If asked for: the policy's figure for each arm in order of definition; `null` where the first slot was not drawn from it. */
  readonly scores: readonly (number | null)[] | null;
}

interface DecideOptions {
  readonly withScores: boolean;
}

export type BatchResult = { readonly dealt: Dealt } | { readonly error: CroupierError };

export class Decider {
  private readonly options: DeciderOptions;

  constructor(options: DeciderOptions) {
    this.options = options;
  }

  /**
   * Deals an arm and logs it. With no room in the buffer it deals the fallback arm, unlogged: no decision of a bandit
   * goes unlogged.
   * @throws Invalid; Unavailable while no definition has been read.
   */
  decide(input: DecideInput, options: DecideOptions = { withScores: false }): Dealt {
    const { clock, observer } = this.options;
    const startedMs = clock.monotonicMs();
    const dealt = this.deal(input, options);
    const { outcome, served } = dealt;
    const durationMs = clock.monotonicMs() - startedMs;
    observer.decided(outcome, { estimatedRegret: estimatedRegret(served.means, outcome), durationMs });
    return dealt;
  }

  /**
   * Each request succeeds or fails by itself.
   * @param read makes the input of a request, or throws Invalid.
   * @throws Invalid when there are none or too many.
   */
  decideBatch<T>(requests: readonly T[], read: (request: T) => DecideInput): readonly BatchResult[] {
    const { batchRequestsMax, observer } = this.options;
    if (requests.length < 1 || requests.length > batchRequestsMax) {
      throw new Invalid('batch-range', `${requests.length} requests in a batch, allowed 1 to ${batchRequestsMax}`);
    }
    return requests.map((request) => {
      try {
        return { dealt: this.decide(read(request)) };
      } catch (error) {
        if (!(error instanceof CroupierError)) throw error;
        observer.refusedInBatch(error);
        return { error };
      }
    });
  }

  /** Resolves when the reward is on the log. @throws Invalid; Unavailable: it may be there, so repeat it with its id. */
  async reward(input: RewardInput): Promise<Reward> {
    const { clock, newId, codecs, rewards, observer } = this.options;
    const nowMs = clock.nowMs();
    const reward = checkReward(input, { id: () => newId(nowMs), nowMs });
    const learning = this.learningFrom(reward);
    await this.inTime(rewards.append(reward.unitId, codecs.reward.encode(reward)), reward);
    observer.rewarded(reward, learning);
    return reward;
  }

  /** @throws Invalid `unknown-experiment`, `algorithm-unknown`. */
  stats(experimentId: string, algorithm: string | null): ExperimentStatistics {
    const served = this.find(experimentId);
    return statisticsOf(served, policyKind(served.deciding.experiment, algorithm));
  }

  /** Of every experiment that is not deleted, by its first policy. */
  allStats(): readonly ExperimentStatistics[] {
    return [...this.options.served.all()]
      .filter(({ deciding }) => deciding.experiment.state === 'active')
      .map((served) => statisticsOf(served, policyKind(served.deciding.experiment, null)));
  }

  /** How it would decide now; logs nothing. @throws as `decide`. */
  explain(input: DecideInput): { readonly outcome: DecisionOutcome; readonly explanation: Explanation } {
    const { experimentId, request } = checkDecide(input);
    return explain(this.find(experimentId).deciding, request, this.stamp());
  }

  /** The definition in force. @throws Invalid `unknown-experiment`; Unavailable while no definition has been read. */
  experiment(experimentId: string): Experiment {
    return this.find(experimentId).deciding.experiment;
  }

  private deal(input: DecideInput, { withScores }: DecideOptions): Dealt {
    const { experimentId, request } = checkDecide(input);
    const served = this.find(experimentId);
    const stamp = this.stamp();
    const outcome = decide(served.deciding, request, stamp);
    // Before the decision is counted in: as they were drawn from.
    const scores = withScores ? scoresByArm(served.deciding, outcome) : null;
    if (this.log(served, outcome)) return { outcome, served, scores };
    const unlogged = decide(served.fallback, request, stamp);
    this.options.observer.unlogged(unlogged);
    const fallback = { ...served, deciding: served.fallback };
    return { outcome: unlogged, served: fallback, scores: withScores ? scoresByArm(served.fallback, unlogged) : null };
  }

  /** @returns false when there is no room for it. */
  private log({ deciding, pending }: Served, outcome: DecisionOutcome): boolean {
    const { decision } = outcome;
    const { decisions, codecs } = this.options;
    const bytes = codecs.decision.encode(decision);
    if (pending === null) return decisions.offer(decision.unitId, bytes);
    const exposure = new Exposure(outcome);
    const taken = decisions.offer(decision.unitId, bytes, (place) => {
      exposure.place = place;
    });
    if (taken) pending.add(deciding, exposure);
    return taken;
  }

  private stamp(): { readonly decisionId: DecisionId; readonly decidedAtMs: number } {
    const decidedAtMs = this.options.clock.nowMs();
    return { decisionId: this.options.newId(decidedAtMs) as DecisionId, decidedAtMs };
  }

  private find(experimentId: string): Served {
    const served = this.options.served.find(experimentId);
    if (served !== undefined) return served;
    if (!this.options.knowsDefinitions()) {
      throw new Unavailable('not-ready', 'no experiment definition has been read yet');
    }
    throw new Invalid('unknown-experiment', `experiment ${experimentId} is not defined`);
  }

  /** A reward that names its experiment is checked against the definitions, once there are any. */
  private learningFrom({ experimentId, metric }: Reward): readonly Experiment[] {
    if (experimentId !== null && this.options.knowsDefinitions()) this.find(experimentId);
    return [...this.options.served.all()]
      .map(({ deciding }) => deciding.experiment)
      .filter(({ id, reward }) => (experimentId === null || id === experimentId) && reward.metrics.has(metric));
  }

  private async inTime(appended: Promise<void>, { rewardId }: Reward): Promise<void> {
    const { rewardMsMax } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const message = `reward ${rewardId} is not known to be on the log after ${rewardMsMax} ms; repeat it with this id`;
      timer = setTimeout(() => reject(new Unavailable('reward-late', message)), rewardMsMax);
    });
    try {
      await Promise.race([appended, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function scoresByArm(served: ServedExperiment, { decision, slots }: DecisionOutcome): readonly (number | null)[] {
  const [first] = slots;
  const scores = scoresOf(served, decision, first!);
  const byArm = new Map(first!.eligible.map((arm, i) => [arm, scores?.[i] ?? null]));
  return served.experiment.arms.map((_, arm) => byArm.get(arm) ?? null);
}
