/**
 * The local store's keys and bytes. A cache of the log, so a change of format raises FORMAT and the store is rebuilt;
 * nothing here is a contract with anybody else.
 */
import type { ExperimentId, PerStream, UnitId } from '../core/events.ts';
import type { Group, JoinLimits } from '../core/join/group.ts';
import type { Counts } from '../core/learning/counts.ts';
import { avroType } from './avro.ts';

export const FORMAT = 5;

/** What a store says of itself, written with every commit. */
export interface StoreHeader {
  readonly format: number;
  readonly partition: number;
  /** Partition count of the input topics. */
  readonly partitions: number;
  readonly limits: JoinLimits;
  readonly offsets: PerStream;
  readonly clocks: PerStream;
  /** Up to here the tallies have been published. */
  readonly published: PerStream;
  readonly counts: Counts;
}

export const HEADER_KEY = 'h';
/** Under it, the bytes of each tally as they are published. */
export const SUMS_FROM = 's/';

export function sumsKey(experimentId: ExperimentId, cohort: number): string {
  return `${SUMS_FROM}${experimentId}/${cohort}`;
}

const optionalString = ['null', 'string'];
const storedGroup = avroType({
  type: 'record',
  name: 'StoredGroup',
  fields: [
    {
      name: 'letIn',
      type: {
        type: 'record',
        name: 'LetInByStream',
        fields: [
          {
            name: 'decisions',
            type: {
              type: 'record',
              name: 'LetIn',
              fields: [
                { name: 'span', type: 'long' },
                { name: 'records', type: 'long' },
              ],
            },
          },
          { name: 'rewards', type: 'LetIn' },
        ],
      },
    },
    {
      name: 'decisions',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'DecisionEntry',
          fields: [
            { name: 'seq', type: 'long' },
            { name: 'decisionId', type: 'string' },
            { name: 'experimentId', type: 'string' },
            {
              name: 'slots',
              type: {
                type: 'array',
                items: {
                  type: 'record',
                  name: 'Slot',
                  fields: [
                    { name: 'armId', type: 'string' },
                    { name: 'propensity', type: 'double' },
                  ],
                },
              },
            },
            { name: 'heldOut', type: 'boolean' },
            { name: 'features', type: { type: 'array', items: 'int' } },
            { name: 'decidedAtMs', type: 'long' },
            { name: 'clockMs', type: 'long' },
          ],
        },
      },
    },
    {
      name: 'rewards',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'RewardEntry',
          fields: [
            { name: 'rewardId', type: 'string' },
            { name: 'metric', type: 'string' },
            { name: 'occurredAtMs', type: 'long' },
            { name: 'decisionId', type: optionalString },
            { name: 'experimentId', type: optionalString },
            { name: 'armId', type: optionalString },
            {
              name: 'records',
              type: {
                type: 'array',
                items: {
                  type: 'record',
                  name: 'RewardRecord',
                  fields: [
                    { name: 'revision', type: 'int' },
                    { name: 'value', type: ['null', 'double'] },
                    { name: 'clockMs', type: 'long' },
                    { name: 'reachedDropped', type: 'boolean' },
                  ],
                },
              },
            },
            { name: 'lastClockMs', type: 'long' },
            { name: 'owners', type: { type: 'array', items: 'long' } },
          ],
        },
      },
    },
  ],
});

export function encodeGroup({ letIn, decisions, rewards }: Group): Buffer {
  return storedGroup.toBuffer({ letIn, decisions, rewards });
}

export function decodeGroup(unitId: UnitId, bytes: Buffer): Group {
  return { unitId, ...(storedGroup.fromBuffer(bytes) as Omit<Group, 'unitId'>) };
}

export function encodeHeader(header: StoreHeader): Buffer {
  return Buffer.from(JSON.stringify(header));
}

/** @returns `null` when the bytes are of another format, or none at all. */
export function decodeHeader(bytes: Buffer): StoreHeader | null {
  try {
    const header = JSON.parse(bytes.toString()) as StoreHeader;
    return header.format === FORMAT ? header : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
