/**
 * `croupier explain DECISION`: finds a logged decision, the definition and the snapshot that it was made from, and
 * makes it again.
 */

import { unitDraw } from '../../core/deciding/decide.ts';
import { type ExplainedArm, type Explanation, explainLogged } from '../../core/deciding/explain.ts';
import { serve } from '../../core/deciding/served.ts';
import type { ArmStatistics, ParametersSnapshot } from '../../core/deciding/snapshot.ts';
import { Invalid } from '../../core/errors.ts';
import type { Decision } from '../../core/events.ts';
import type { Experiment } from '../../core/experiment.ts';
import { unknownExperiment } from '../../platform/experiment-store.ts';
import { type Cell, renderTable } from '../../platform/table.ts';
import { namedContext } from '../context-text.ts';
import { type Found, findDecision, findSnapshot } from '../find.ts';
import type { Answer, Installation, TextSink } from '../ports.ts';
import { openStore } from './experiments.ts';

export interface ExplainOptions {
  readonly decisionId: string;
  /** Look for it from here on by the log's time; `null` for about the time that its id carries. */
  readonly sinceMs: number | null;
  /** As the request had them; `null` for all active arms. */
  readonly eligibleArmIds: readonly string[] | null;
}

interface Explained {
  readonly found: Found;
  readonly definition: Experiment;
  /** Whether the definition is of the version that the decision names. */
  readonly definitionExact: boolean;
  /** `null` when it is not there any more. */
  readonly snapshot: ParametersSnapshot | null;
  /** `null` when it cannot be made again, or was no draw. */
  readonly explanation: Explanation | null;
  /** Whether arm and propensity came out to the bit; `null` without an explanation. */
  readonly agrees: boolean | null;
}

/** Fails when the decision, made again, comes out otherwise. @throws Invalid `decision-unknown`; Unavailable. */
export async function explainDecision(
  installation: Installation,
  stderr: TextSink,
  options: ExplainOptions,
): Promise<Answer> {
  const codecs = await installation.codecs();
  const found = await findDecision(installation, codecs, options);
  const { decision } = found;
  const { newest, versions } = await (await openStore(installation, stderr)).read();
  const standing = newest.get(decision.experimentId);
  if (standing === undefined) throw unknownExperiment(decision.experimentId, [...newest.keys()]);
  const exact = versions.find(({ id, version }) => id === standing.id && version === decision.experimentVersion);
  const snapshot = hadSnapshot(decision) ? await findSnapshot(installation, codecs, decision) : null;
  const definition = exact ?? standing;
  const explanation =
    snapshot === null ? null : explainLogged(serve(definition, snapshot), decision, options.eligibleArmIds);
  const agrees = explanation === null ? null : sameOutcome(decision, explanation);
  const explained = { found, definition, definitionExact: exact !== undefined, snapshot, explanation, agrees };
  return { data: explainedData(explained), text: explainedText(explained), failed: agrees === false };
}

function sameOutcome(decision: Decision, { slots }: Explanation): boolean {
  return (
    slots.length === decision.slots.length &&
    decision.slots.every(({ armId, propensity }, at) => {
      const dealt = slots[at]!.arms.find((arm) => arm.dealt);
      return dealt?.armId === armId && dealt.probability === propensity;
    })
  );
}

function explainedData({ found, definition, definitionExact, snapshot, explanation, agrees }: Explained): unknown {
  const { decision } = found;
  return {
    ...found,
    definition: { version: definition.version, exact: definitionExact, floor: definition.floor },
    snapshot: snapshot && {
      version: snapshot.version,
      digest: snapshot.digest,
      clockMs: snapshot.clockMs,
      holdout: snapshot.holdout,
    },
    context: namedContext(definition.context, decision.features),
    draws: drawsOf(decision),
    slots:
      explanation?.slots.map(({ draw, arms }) => ({
        draw,
        arms: arms.map((arm) => ({ ...arm, statistics: snapshot!.arms[arm.armIndex] })),
      })) ?? null,
    agrees,
  };
}

function explainedText(explained: Explained): string {
  const { found, definition, snapshot, explanation } = explained;
  const { decision } = found;
  const context = namedContext(definition.context, decision.features);
  const facts = renderTable(['decision', decision.decisionId], factRows(explained));
  const features = context.map(({ name, value, encoded }): Cell[] => [name, String(value), encoded.join(' ')]);
  return [
    facts,
    ...(features.length === 0 ? [] : [renderTable(['context', 'value', 'encoded'], features)]),
    ...(explanation?.slots.map(({ arms }) => armsTable(arms, snapshot!.arms, definition)) ?? []),
    verdict(explained),
  ].join('\n');
}

function factRows({ found, definition, definitionExact, snapshot, explanation }: Explained): Cell[][] {
  const { decision, topic, partition, offset, appendTimeMs } = found;
  const draws = drawsOf(decision);
  return [
    ['experiment', `${decision.experimentId}, version ${decision.experimentVersion}`],
    ...(definitionExact ? [] : [['definition', `that version is gone from the log; shown is ${definition.version}`]]),
    ['unit', decision.unitId],
    ['decided', new Date(decision.decidedAtMs).toISOString()],
    ['on the log', `${topic}/${partition} offset ${offset}, appended ${new Date(appendTimeMs).toISOString()}`],
    ['reason', decision.reason],
    ['policy', explanation?.approximate ? `${decision.policy}, probabilities estimated by trial` : decision.policy],
    ['snapshot', snapshotText(decision, snapshot)],
    ...(decision.pendingExposures === 0 ? [] : [['counted in', `${decision.pendingExposures} arms dealt since`]]),
    ...decision.slots.flatMap(({ armId, propensity }, at): Cell[][] => [
      ...(draws === null ? [] : [['draw', String(draws[at])]]),
      ['dealt', `${armId} with propensity ${propensity}`],
    ]),
  ];
}

/** The first snapshot of an experiment, of its priors alone, is version 0 too. */
function hadSnapshot({ reason, snapshotVersion }: Decision): boolean {
  return reason === 'bandit' || snapshotVersion > 0;
}

function snapshotText(decision: Decision, snapshot: ParametersSnapshot | null): string {
  const { snapshotVersion } = decision;
  if (!hadSnapshot(decision)) return 'none';
  if (snapshot === null) return `version ${snapshotVersion}, gone from the log: newer ones took its place`;
  return `version ${snapshotVersion}, built from definition ${snapshot.experimentVersion}, digest ${snapshot.digest}`;
}

function armsTable(
  arms: readonly ExplainedArm[],
  statistics: readonly ArmStatistics[],
  { reward }: Experiment,
): string {
  const rows = arms.map(({ armId, armIndex, score, probability, cumulative, dealt }): Cell[] => {
    const { pulls, n, sumR } = statistics[armIndex]!;
    const mean = n === 0 ? '-' : (sumR / n).toPrecision(6);
    return [
      armId,
      pulls,
      Number(n.toPrecision(6)),
      mean,
      score?.toPrecision(6) ?? '-',
      String(probability),
      cumulative.toFixed(6),
      dealt ? 'dealt' : '',
    ];
  });
  const counted = reward.delay === 'delay-corrected' ? 'effective exposure' : 'counted';
  return renderTable(['arm', 'pulls', counted, 'mean (0 to 1)', 'score', 'probability', 'cumulative', ''], rows);
}

const PENDING_TEXT =
  'Its decider had counted in what it had dealt since the snapshot, which no log keeps, so it cannot be made again; the ' +
  'draw still can.';

function verdict({ found, definitionExact, snapshot, agrees }: Explained): string {
  const { reason, snapshotVersion, pendingExposures } = found.decision;
  if (reason === 'holdout') return 'It was not drawn: the unit belongs to the holdout, which always gets its arm.';
  if (reason !== 'bandit') return `It was not drawn: the reason is ${reason}.`;
  if (pendingExposures > 0) return PENDING_TEXT;
  if (agrees === true) return 'Made again, arms and propensities are the logged ones to the bit.';
  if (snapshot === null) return `Snapshot ${snapshotVersion} is gone, so it cannot be made again; the draw still can.`;
  const version = definitionExact ? '' : 'the definition is another version; ';
  return (
    `Made again it comes out otherwise: ${version}if the request named which arms were eligible, ` +
    'give them with --eligible, as the log does not keep them.'
  );
}

/** By slot, without need of the snapshot; `null` when nothing was drawn. */
function drawsOf({ policy: kind, reason, slots, ...decision }: Decision): readonly number[] | null {
  return reason === 'bandit' ? slots.map((_, slot) => unitDraw({ ...decision, kind, slot })) : null;
}

/** @throws Invalid `since`. */
export function parseSince(text: string): number {
  const timeMs = Date.parse(text);
  if (!Number.isNaN(timeMs)) return timeMs;
  throw new Invalid('since', `--since ${JSON.stringify(text)}, allowed is a time such as 2026-01-31T12:00:00Z`);
}
