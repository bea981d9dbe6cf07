/**
 * The input topics of a bench on real Kafka: created once for each shape, filled, and kept for the next run of the same
 * stack, since filling takes longer than reading. Owns nothing after `prepare`.
 */
import { crc32 } from 'node:zlib';
import { type Codecs, createCodecs } from '../../../services/contracts/codec.ts';
import { type TopicNames, topicNames } from '../../../services/contracts/keys.ts';
import { loadSchemas } from '../../../services/contracts/schemas.ts';
import { rethrow } from '../../../services/core/errors.ts';
import type { Experiment, PolicySpec } from '../../../services/core/experiment.ts';
import { betaTs } from '../../../services/core/policies/beta-ts.ts';
import { linUcb } from '../../../services/core/policies/linucb.ts';
import type { Policy } from '../../../services/core/policies/policy.ts';
import { validateParameters } from '../../../services/core/policies/registry.ts';
import { ExperimentStore } from '../../../services/platform/experiment-store.ts';
import type { KafkaLog } from '../../../services/platform/kafka/log.ts';
import { partitionOf } from '../../../services/platform/log/partitioner.ts';
import type { AppendRecord } from '../../../services/platform/log/port.ts';
import { startProgress } from '../../../services/platform/progress.ts';
import { registerAll } from '../../../services/platform/registry/register.ts';
import { openRegistrySource } from '../../../services/platform/registry/source.ts';
import { createTopics, loadTopicSpecs } from '../../../services/platform/topics.ts';
import { experiment } from '../../support/core.ts';
import { rewardSpec } from '../../support/reward-spec.ts';
import { armId, eventCount, events, experimentId, METRIC, type Shape } from './events.ts';

export const PARTITIONS = 4;
const DAY_MS = 86_400_000;
const BATCH_RECORDS = 2_000;
/** Decisions lie in the past, at the most so far back that they are well within the window. */
export const BEGIN_MS_AGO = 14 * DAY_MS;

export interface Cluster {
  readonly log: KafkaLog;
  readonly registry: { url: string; auth: null; timeoutMs: number; triesMax: number };
}

/** Everything before topic names of this shape, under the schemas as they are. */
export function prefixOf({ name, pending, live, experiments, arms, dimension }: Shape): string {
  const texts = [...loadSchemas().values()].map(({ text }) => text).join();
  const own = name === undefined ? '' : `-${name}`;
  return `bench-${crc32(texts).toString(36)}-${pending}-${live}-${experiments}-${arms}-${dimension}${own}.`;
}

/**
 * Makes sure that the topics hold the events of the shape.
 * @param part `pending`: only those that come first and stay without reward; a learner that is to go on from there must
 * not see what follows, or it would read the rewards long before their decisions.
 */
export async function prepareInputs(cluster: Cluster, shape: Shape, part: 'pending' | 'all'): Promise<TopicNames> {
  const { topics, codecs } = await prepareTopics(cluster, shape);
  const wanted = part === 'pending' ? shape.pending : eventCount(shape);
  const there = await heldIn(cluster, topics);
  if (there >= wanted) return topics;
  if (there > shape.pending)
    throw new Error(`${topics.decisions} is half filled: begin anew with \`npm run stack -- down\``);
  await define(cluster, shape, { topics, codecs });
  await fill(cluster, shape, { topics, codecs, from: there, to: wanted });
  return topics;
}

/** The input topics of a shape, with nothing in them but what was. */
async function prepareTopics(cluster: Cluster, shape: Shape): Promise<Inputs> {
  const topics = topicNames(prefixOf(shape));
  await prepareOutputs(cluster, topics);
  return { topics, codecs: createCodecs(await openRegistrySource(cluster.registry, topics), topics) };
}

/** Topics of a shape with its definitions and no events. */
export async function prepareEmpty(cluster: Cluster, shape: Shape): Promise<Inputs> {
  const inputs = await prepareTopics(cluster, shape);
  await define(cluster, shape, inputs);
  return inputs;
}

export async function removeInputs({ log }: Cluster, shape: Shape): Promise<void> {
  const topics: readonly string[] = Object.values(topicNames(prefixOf(shape)));
  const counts = await Promise.all(topics.map((topic) => log.admin.partitionCount(topic)));
  const there = topics.filter((_topic, at) => counts[at] !== null);
  if (there.length > 0) await log.admin.deleteTopics(there);
}

async function define({ log }: Cluster, shape: Shape, { topics, codecs }: Inputs): Promise<void> {
  const definitions = new ExperimentStore({
    log,
    topic: topics.experiments,
    codec: codecs.experiment,
    onRefused: rethrow,
  });
  for (const one of experimentsOf(shape)) await definitions.apply(one);
}

async function heldIn({ log }: Cluster, topics: TopicNames): Promise<number> {
  const ends = [...(await log.admin.offsets(topics.decisions)), ...(await log.admin.offsets(topics.rewards))];
  return ends.reduce((sum, { end }) => sum + end, 0);
}

export interface Inputs {
  readonly topics: TopicNames;
  readonly codecs: Codecs;
}

interface Filling extends Inputs {
  /** Events by their place in the order in which they are made. */
  readonly from: number;
  readonly to: number;
}

/** Creates what of these topics is missing, and registers their schemas. */
export async function prepareOutputs({ log, registry }: Cluster, topics: TopicNames): Promise<void> {
  await createTopics(log.admin, loadTopicSpecs(topics, { inputPartitions: PARTITIONS }));
  await registerAll(registry, topics);
}

export function experimentsOf({ experiments, arms, dimension }: Shape): Experiment[] {
  return Array.from({ length: experiments }, (_, index) =>
    experiment({
      id: experimentId(index),
      arms: Array.from({ length: arms }, (_one, arm) => ({
        id: armId(arm),
        state: 'active',
        sinceVersion: 1,
        attributes: new Map(),
      })),
      fallbackArmId: armId(0),
      policies: [dimension === 0 ? policy(betaTs) : policy(linUcb)],
      context: Array.from({ length: Math.max(0, dimension - 1) }, (_one, at) => ({
        kind: 'number',
        name: `x${at}`,
        mean: 0,
        scale: 1,
      })),
      reward: rewardSpec({ metrics: { [METRIC]: {} }, max: 1 }),
      attribution: { model: 'last-touch', windowMs: 30 * DAY_MS },
      cohortMs: DAY_MS,
      appliedAtMs: [],
    }),
  );
}

function policy(one: Policy): PolicySpec {
  return { kind: one.kind, parameters: validateParameters(one, new Map()) };
}

async function fill({ log }: Cluster, shape: Shape, { topics, codecs, from, to }: Filling): Promise<void> {
  const progress = startProgress({
    label: `filling ${topics.decisions}`,
    total: to - from,
    unit: 'events',
    to: process.stderr,
  });
  const writer = log.writer();
  const batches = new Map<string, AppendRecord[]>();
  const sends = new Map<string, Promise<unknown>>();
  let sent = 0;
  const send = async (place: string): Promise<void> => {
    const [topic, partition] = place.split('/') as [string, string];
    const records = batches.get(place)!;
    batches.set(place, []);
    // One batch in flight for each partition, and encoding goes on meanwhile.
    await sends.get(place);
    sends.set(place, writer.append({ topic, partition: Number(partition) }, records));
    sent += records.length;
    progress.update(sent);
  };
  let made = from;
  for (const { decision, reward } of events(shape, Date.now() - BEGIN_MS_AGO, from)) {
    if (made === to) break;
    made += 1;
    const { unitId } = decision ?? reward;
    const value = decision === undefined ? codecs.reward.encode(reward) : codecs.decision.encode(decision);
    const place = `${decision === undefined ? topics.rewards : topics.decisions}/${partitionOf(unitId, PARTITIONS)}`;
    const batch = batches.get(place);
    if (batch === undefined) batches.set(place, [{ key: unitId, value }]);
    else if (batch.push({ key: unitId, value }) === BATCH_RECORDS) await send(place);
  }
  for (const [place, batch] of batches) if (batch.length > 0) await send(place);
  await Promise.all(sends.values());
  await writer.close();
  progress.stop();
}
