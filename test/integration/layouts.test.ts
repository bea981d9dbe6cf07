/** An experiment with a layout all the way: file, decisions, rewards, tallies, snapshot, decision, and why. No services. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createCodecs } from '../../services/contracts/codec.ts';
import { parseExperimentFile } from '../../services/contracts/experiment-file.ts';
import { topicNames } from '../../services/contracts/keys.ts';
import { sealSnapshot } from '../../services/contracts/seal.ts';
import type { Context } from '../../services/core/context.ts';
import { decide } from '../../services/core/deciding/decide.ts';
import { explain, explainLogged } from '../../services/core/deciding/explain.ts';
import { type ServedExperiment, serve } from '../../services/core/deciding/served.ts';
import type { ParametersSnapshot } from '../../services/core/deciding/snapshot.ts';
import type { Decision, DecisionId, InputEvent, UnitId } from '../../services/core/events.ts';
import type { Experiment } from '../../services/core/experiment.ts';
import { MergedSums } from '../../services/core/learning/merge.ts';
import { allPolicies } from '../../services/core/policies/registry.ts';
import { seededRandom } from '../../services/core/random.ts';
import { embeddedSchemaSource } from '../../services/platform/embedded/schema-source.ts';
import { Oracle, reward, rules, T0 } from '../support/core.ts';
import { allContexts } from '../support/definition.ts';

const EXAMPLES = new URL('../../deploy/examples/', import.meta.url);
const topics = topicNames();
const codecs = createCodecs(embeddedSchemaSource(topics), topics);

function example(file: string): readonly Experiment[] {
  return parseExperimentFile(file, readFileSync(new URL(file, EXAMPLES), 'utf8'), allPolicies());
}

const page: Experiment = { ...example('landing-page.yaml')[0]!, appliedAtMs: [T0] };

function ask(served: ServedExperiment, index: number, context: Context): Decision {
  const request = { unitId: `u${index}` as UnitId, context, algorithm: null, eligibleArmIds: null, slots: 1 };
  return decide(served, request, { decisionId: `d${index}` as DecisionId, decidedAtMs: T0 + index }).decision;
}

/** Visitors who came back buy by the urgent headline, others by the plain one. */
function traffic(decisions: number): InputEvent[] {
  const random = seededRandom(21);
  const contexts = allContexts(page.context);
  const served = serve(page, snapshotOf([[]]));
  return Array.from({ length: decisions }, (_, index): InputEvent[] => {
    const context = contexts[Math.floor(random.next() * contexts.length)]!;
    const decision = ask(served, index, context);
    const wanted = context.get('returning') === true ? 'urgent' : 'plain';
    const rate = decision.slots[0]!.armId.startsWith(wanted) ? 0.6 : 0.1;
    const clockMs = T0 + index;
    const bought = reward({ id: `r${index}`, unit: `u${index}`, metric: 'purchase', atMs: clockMs });
    return [
      { stream: 'decisions', clockMs, decision: codecs.decision.decode(codecs.decision.encode(decision)) },
      ...(random.next() < rate ? [{ stream: 'rewards' as const, clockMs, reward: bought }] : []),
    ];
  }).flat();
}

/** @param partitions the events of each. @returns what goes over the log. */
function snapshotOf(partitions: readonly (readonly InputEvent[])[]): ParametersSnapshot {
  const merged = new MergedSums();
  const start = { decisions: 0, rewards: 0 };
  for (const [partition, events] of partitions.entries()) {
    const oracle = new Oracle(rules(page));
    for (const event of events) oracle.learn(event);
    for (const named of oracle.state.sums.entries()) {
      const cut = { partition, partitions: partitions.length, offsets: start, clocks: start };
      const tally = codecs.tally.decode(codecs.tally.encode({ kind: 'sums', ...cut, ...named, changedTogether: 1 }));
      if (tally.kind === 'sums') merged.replace(partition, tally.cohort, tally.sums);
    }
  }
  const snapshot = sealSnapshot(page, merged, new Map(partitions.map((_, partition) => [partition, start])));
  return codecs.snapshot.decode(codecs.snapshot.encode(snapshot));
}

describe('the example of a layout', () => {
  it('is an experiment like every other example', () => {
    for (const file of readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'))) {
      expect(example(file)).toHaveLength(1);
    }
    expect(page.arms).toHaveLength(18);
    expect(codecs.experiment.decode(codecs.experiment.encode({ ...page, appliedAtMs: [] }))).toEqual({
      ...page,
      appliedAtMs: [],
    });
  });

  it('learns to whom each headline speaks, the same however its visitors are partitioned', () => {
    const events = traffic(3_000);
    const whole = snapshotOf([events]);
    const halves = [0, 1].map((half) =>
      events.filter((event) => {
        const { unitId } = event.stream === 'decisions' ? event.decision : event.reward;
        return Number(unitId.slice(1)) % 2 === half;
      }),
    );
    expect(snapshotOf(halves).digest).toBe(whole.digest);
    expect(snapshotOf(halves.toReversed()).digest).toBe(whole.digest);
    expect(snapshotOf([events.slice(0, -2)]).digest).not.toBe(whole.digest);
    const served = serve(page, whole);
    for (const [returning, headline] of [
      [true, 'urgent'],
      [false, 'plain'],
    ] as const) {
      const context = new Map<string, string | boolean>([
        ['country', 'DE'],
        ['returning', returning],
      ]);
      const dealt = Array.from({ length: 400 }, (_, index) => ask(served, index, context).slots[0]!.armId);
      expect(dealt.filter((armId) => armId.startsWith(headline)).length).toBeGreaterThan(300);
    }
  });

  it('says that its probabilities are estimates, and finds a logged decision again to the bit', () => {
    const served = serve(page, snapshotOf([traffic(500)]));
    const context = new Map<string, string | boolean>([
      ['country', 'BR'],
      ['returning', true],
    ]);
    const decision = ask(served, 7, context);
    const explanation = explainLogged(served, codecs.decision.decode(codecs.decision.encode(decision)), null)!;
    const dealt = explanation.slots[0]!.arms.find((arm) => arm.dealt)!;
    expect(dealt).toMatchObject({ armId: decision.slots[0]!.armId, probability: decision.slots[0]!.propensity });
    expect(explanation.approximate).toBe(true);
    const total = explanation.slots[0]!.arms.reduce((sum, { probability }) => sum + probability, 0);
    expect(Math.abs(total - 1)).toBeLessThanOrEqual(1e-12);
    for (const { probability, score } of explanation.slots[0]!.arms) {
      expect(probability).toBeGreaterThan(0);
      expect(score! > 0 && score! < 1).toBe(true);
    }
  });

  it('is no estimate where nothing was drawn', () => {
    const request = {
      unitId: 'u' as UnitId,
      context: new Map<string, string | boolean>([
        ['country', 'BR'],
        ['returning', true],
      ]),
      algorithm: null,
      eligibleArmIds: null,
      slots: 1,
    };
    const { explanation } = explain(serve(page, null), request, { decisionId: 'd' as DecisionId, decidedAtMs: T0 });
    expect(explanation.approximate).toBe(false);
  });
});
