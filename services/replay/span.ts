/**
 * Which part of the log a replay learns: where it begins and ends, as people say it and as offsets of each input partition.
 */
import type { TopicNames } from '../contracts/keys.ts';
import { Invalid } from '../core/errors.ts';
import { type PerStream, STREAMS, type Stream } from '../core/events.ts';
import { isSameCut } from '../core/learning/tally.ts';
import { assertCoPartitioned } from '../platform/log/partition-count.ts';
import type { Log } from '../platform/log/port.ts';

/** A time by the log, or an offset in every partition of a stream; a stream that is not named takes all that there is. */
export type Position = { readonly timeMs: number } | { readonly offsets: Partial<PerStream> };

/** By partition; `to` is where to stop, itself not learned. */
export interface Span {
  readonly from: readonly PerStream[];
  readonly to: readonly PerStream[];
  /** Whether nothing that the log still has lies before it. */
  readonly allRetained: boolean;
  /** Whether nothing ever appended lies before it. */
  readonly fromStart: boolean;
}

const ALLOWED = 'a time such as 2026-11-01T00:00:00Z, an offset, or decisions=OFFSET,rewards=OFFSET';

/** @throws Invalid `config`. */
export function parsePosition(option: string, text: string): Position {
  if (/^\d{1,15}$/.test(text)) return { offsets: { decisions: Number(text), rewards: Number(text) } };
  const offsets = parseOffsets(text);
  if (offsets !== null) return { offsets };
  const timeMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(timeMs)) return { timeMs };
  throw new Invalid('config', `${option}: ${JSON.stringify(text)}, allowed is ${ALLOWED}`);
}

function parseOffsets(text: string): Partial<PerStream> | null {
  const found = new Map<Stream, number>();
  for (const part of text.split(',')) {
    const [, name, offset] = /^(\w+)=(\d{1,15})$/.exec(part) ?? [];
    const stream = STREAMS.find((known) => known === name);
    if (stream === undefined || found.has(stream)) return null;
    found.set(stream, Number(offset));
  }
  return Object.fromEntries(found);
}

/** @param from, to `null` for all that is retained. @throws Invalid `config` when nothing lies between them. */
export async function spanOf(
  log: Log,
  topics: TopicNames,
  { from, to }: { readonly from: Position | null; readonly to: Position | null },
): Promise<Span> {
  const [starts, ends] = await Promise.all([edges(log, topics, 'start'), edges(log, topics, 'end')]);
  const begin = from === null ? starts : await placesOf(log, topics, from, starts);
  const stop = to === null ? ends : await placesOf(log, topics, to, ends);
  const span = starts.map((start, partition) => {
    const end = ends[partition]!;
    const first = each((stream) => clamp(begin[partition]![stream], start[stream], end[stream]));
    return { first, last: each((stream) => clamp(stop[partition]![stream], start[stream], end[stream])) };
  });
  if (span.some(({ first, last }) => STREAMS.some((stream) => first[stream] > last[stream]))) {
    throw new Invalid('config', '--from lies after --to, allowed is a position before it');
  }
  return {
    from: span.map(({ first }) => first),
    to: span.map(({ last }) => last),
    allRetained: span.every(({ first }, partition) => isSameCut(first, starts[partition]!)),
    fromStart: span.every(({ first }) => first.decisions + first.rewards === 0),
  };
}

/** @returns next offsets of each input partition: where the log ends now. */
export async function inputEnds(log: Log, topics: TopicNames): Promise<PerStream[]> {
  return edges(log, topics, 'end');
}

/** @returns how many offsets lie between. */
export function lengthOf(from: PerStream, to: PerStream): number {
  return Math.max(0, to.decisions - from.decisions) + Math.max(0, to.rewards - from.rewards);
}

async function placesOf(
  log: Log,
  topics: TopicNames,
  position: Position,
  otherwise: readonly PerStream[],
): Promise<readonly PerStream[]> {
  if ('offsets' in position) {
    return otherwise.map((edge) => each((stream) => position.offsets[stream] ?? edge[stream]));
  }
  const [decisions, rewards] = await Promise.all(
    STREAMS.map((stream) => log.admin.offsetsAt(topics[stream], position.timeMs)),
  );
  return otherwise.map((_, partition) => ({ decisions: decisions![partition]!, rewards: rewards![partition]! }));
}

async function edges(log: Log, topics: TopicNames, edge: 'start' | 'end'): Promise<PerStream[]> {
  const [decisions, rewards] = await Promise.all(STREAMS.map((stream) => log.admin.offsets(topics[stream])));
  assertCoPartitioned(topics, { decisions: decisions!.length, rewards: rewards!.length });
  return decisions!.map((of, partition) => ({ decisions: of[edge], rewards: rewards![partition]![edge] }));
}

function each(value: (stream: Stream) => number): PerStream {
  return { decisions: value('decisions'), rewards: value('rewards') };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
