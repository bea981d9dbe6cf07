/**
 * `croupier backfill decisions | rewards`: past events from files into the topics. All is checked before the first event is
 * appended, and what is appended is what the learner would learn.
 */
import { createHash } from 'node:crypto';
import type { ColumnOptions } from '../../contracts/history/columns.ts';
import { Invalid } from '../../core/errors.ts';
import type { Stream } from '../../core/events.ts';
import type { JoinLimits } from '../../core/join/group.ts';
import { BatchAppender } from '../../platform/log/batch-appender.ts';
import { type Cell, renderTable } from '../../platform/table.ts';
import { type History, openHistory, type PastEvent, type PastRow } from '../history.ts';
import type { Answer, CliPorts, Installation } from '../ports.ts';
import { openStore } from './experiments.ts';

export interface BackfillOptions {
  readonly stream: Stream;
  readonly files: readonly string[];
  readonly columns: ColumnOptions;
  readonly limits: JoinLimits;
  readonly sort: boolean;
  readonly skipRefused: boolean;
  readonly dryRun: boolean;
  /** A file that says how far it has come, to go on from there; `null` to keep none. */
  readonly position: string | null;
}

type Ports = Pick<CliPorts, 'stderr' | 'nowMs' | 'historyFiles' | 'progress'>;

const ROWS_MAX = 10_000_000;
const SHOWN_MAX = 10;
const CHUNK_EVENTS = 5_000;
const CHUNK_BYTES = 16_000_000;
const FLUSH_MS_MAX = 10_000;
const AFTER_DEFINITION =
  'of them were made when the experiment was defined already: of a unit that was dealt something live since, rewards that ' +
  'name no decision go by the order on the log, in which the live decisions now stand first';

/** @throws Invalid `config`, `file`, `position`, `unknown-topic`, what the log refuses; Unavailable. */
export async function backfill(installation: Installation, ports: Ports, options: BackfillOptions): Promise<Answer> {
  const { stream, files, columns, limits } = options;
  const codecs = await installation.codecs();
  const { newest: experiments } = await (await openStore(installation, ports.stderr)).read();
  const history = await openHistory({
    ...{ stream, files, columns, codecs, rowsMax: ROWS_MAX },
    rules: { experiments, limits, nowMs: ports.nowMs() },
    openRows: ports.historyFiles.openRows,
  });
  const checked = await check(history, ports, options);
  const problem = problemOf(checked, options);
  if (problem !== null || options.dryRun) return answer(checked, history, options, { appended: 0, before: 0 }, problem);
  const written = await write(installation, history, checked, ports, options);
  return answer(checked, history, options, written, null);
}

interface Checked {
  rows: number;
  good: number;
  /** Good ones that say what an earlier one said: learned once. */
  repeated: number;
  clipped: number;
  afterDefinition: number;
  fromMs: number;
  toMs: number;
  readonly refused: Map<string, number>;
  readonly shown: { readonly at: string; readonly reason: string; readonly message: string }[];
  /** Where time first goes back. */
  disorder: string | null;
}

async function check(history: History, ports: Ports, { stream }: BackfillOptions): Promise<Checked> {
  const progress = ports.progress({ label: `check ${stream}`, total: history.bytes, unit: 'bytes' });
  const refused: Checked['refused'] = new Map();
  const checked: Checked = {
    ...{ rows: 0, good: 0, repeated: 0, clipped: 0, afterDefinition: 0, refused, shown: [], disorder: null },
    ...{ fromMs: Number.POSITIVE_INFINITY, toMs: Number.NEGATIVE_INFINITY },
  };
  const ids = new Set<number>();
  try {
    for await (const row of history.rows()) {
      checked.rows += 1;
      const { event } = row;
      if (event instanceof Invalid) countRefused(checked, row, event);
      else countGood(checked, row, event, ids);
      progress.update(row.bytesDone);
    }
  } finally {
    progress.stop();
  }
  return checked;
}

function countRefused({ refused, shown }: Checked, { file, line }: PastRow, { code, message }: Invalid): void {
  refused.set(code, (refused.get(code) ?? 0) + 1);
  if (shown.length < SHOWN_MAX) shown.push({ at: `${file}:${line}`, reason: code, message });
}

function countGood(checked: Checked, { file, line }: PastRow, event: PastEvent, ids: Set<number>): void {
  const { timeMs, clipped, afterDefinition, id } = event;
  if (timeMs < checked.toMs) checked.disorder ??= `${file}:${line}`;
  checked.good += 1;
  checked.clipped += clipped;
  checked.afterDefinition += Number(afterDefinition);
  checked.fromMs = Math.min(checked.fromMs, timeMs);
  checked.toMs = Math.max(checked.toMs, timeMs);
  // Of ten million ids two share these 48 bits in one of six runs: good enough for telling, and never acted upon.
  const short = createHash('sha256').update(id).digest().readUIntBE(0, 6);
  if (ids.has(short)) checked.repeated += 1;
  ids.add(short);
}

/** @returns why nothing is to be appended. */
function problemOf({ refused, disorder }: Checked, { stream, sort, skipRefused }: BackfillOptions): string | null {
  if (refused.size > 0 && !skipRefused) return 'mend the refused rows, or leave them out with --skip-refused';
  // Whose a reward is goes by the order of decisions in the log.
  if (stream === 'decisions' && disorder !== null && !sort) {
    return `time goes back at ${disorder}: sort the files by time and give them in that order, or add --sort`;
  }
  return null;
}

interface Written {
  readonly appended: number;
  /** Appended by an earlier run. */
  readonly before: number;
}

async function write(
  { log, topics }: Installation,
  history: History,
  { good }: Checked,
  ports: Ports,
  options: BackfillOptions,
): Promise<Written> {
  const { stream, position } = options;
  const topic = topics[stream];
  if ((await log.admin.partitionCount(topic)) === null) {
    throw new Invalid('unknown-topic', `topic ${topic} does not exist; \`croupier topics create\` makes it`);
  }
  const start = position === null ? null : await ports.historyFiles.readPosition(position);
  const before = start?.appended ?? 0;
  const progress = ports.progress({ label: `append ${stream}`, total: good, unit: 'events' });
  const appender = new BatchAppender({
    ...{ log, topic, lingerMs: 0, bufferRecordsMax: CHUNK_EVENTS, bufferBytesMax: 2 * CHUNK_BYTES },
    observer: {
      unavailable: (error) => ports.stderr.write(`${error.code}: ${error.message}; trying again\n`),
      // Whoever waits for its append is told.
      lost: () => {},
    },
  });
  // Of all events up to here: what an earlier run appended must be what is left out now.
  const digest = createHash('sha256').update(`${topic}\n`);
  let done = 0;
  try {
    for await (const chunk of chunksOf(inOrder(history, options), before)) {
      for (const { id } of chunk) digest.update(`${id}\n`);
      done += chunk.length;
      if (done === before) assertSame(digest.copy().digest('hex'), start?.digest, options);
      else if (done > before) await appendAll(appender, chunk);
      progress.update(done);
      if (position === null || done <= before) continue;
      await ports.historyFiles.writePosition(position, { appended: done, digest: digest.copy().digest('hex') });
    }
  } finally {
    progress.stop();
    await appender.stop({ flushMsMax: FLUSH_MS_MAX });
  }
  if (done < before) throw anotherHistory(options);
  if (done === good) return { appended: done - before, before };
  throw new Invalid('file', `${good} events were checked, ${done} were there then: the files have changed meanwhile`);
}

function assertSame(digest: string, wanted: string | undefined, options: BackfillOptions): void {
  if (digest !== wanted) throw anotherHistory(options);
}

function anotherHistory({ position, stream }: BackfillOptions): Invalid {
  return new Invalid(
    'position',
    `${position} tells how far another backfill has come: these files do not begin with the ${stream} appended then; ` +
      'give the files, options and definitions of then, or another position',
  );
}

async function* inOrder(history: History, { sort }: BackfillOptions): AsyncGenerator<PastEvent> {
  const held: PastEvent[] = [];
  for await (const { event } of history.rows()) {
    if (event instanceof Invalid) continue;
    if (sort) held.push(event);
    else yield event;
  }
  held.sort((a, b) => a.timeMs - b.timeMs);
  yield* held;
}

/** @param border where a chunk ends in any case. */
async function* chunksOf(events: AsyncIterable<PastEvent>, border: number): AsyncGenerator<readonly PastEvent[]> {
  let chunk: PastEvent[] = [];
  let bytes = 0;
  let count = 0;
  for await (const event of events) {
    chunk.push(event);
    bytes += event.value.length;
    count += 1;
    if (chunk.length < CHUNK_EVENTS && bytes < CHUNK_BYTES && count !== border) continue;
    yield chunk;
    chunk = [];
    bytes = 0;
  }
  if (chunk.length > 0) yield chunk;
}

async function appendAll(appender: BatchAppender, events: readonly PastEvent[]): Promise<void> {
  await Promise.all(events.map(({ unitId, value }) => appender.append(unitId, value)));
}

function answer(
  checked: Checked,
  { used }: History,
  { stream, dryRun }: BackfillOptions,
  { appended, before }: Written,
  problem: string | null,
): Answer {
  const { rows, good, repeated, clipped, afterDefinition, refused, shown, fromMs, toMs } = checked;
  const [from, to] = good === 0 ? [null, null] : [fromMs, toMs].map((ms) => new Date(ms).toISOString());
  const data = {
    ...{ stream, rows, good, appended, appendedBefore: before, repeated, clipped, afterDefinition, from, to, problem },
    ...{ refused: Object.fromEntries(refused), refusals: shown, columns: Object.fromEntries(used) },
  };
  const counts: Cell[][] = [
    ['rows', rows],
    ['appended', appended],
    ...(before === 0 ? [] : [['appended before', before] as Cell[]]),
    ...(good === appended + before ? [] : [['good, not appended', good - appended - before] as Cell[]]),
    ...[...refused].map(([reason, count]): Cell[] => [`refused: ${reason}`, count]),
  ];
  const notes = [
    ...(repeated === 0 ? [] : [`${repeated} of them repeat the id of another, or say the same: each is learned once`]),
    ...(clipped === 0 ? [] : [`${clipped} numbers of contexts were cut to the range that is learned from`]),
    ...(afterDefinition === 0 ? [] : [`${afterDefinition} ${AFTER_DEFINITION}`]),
    ...(from === null ? [] : [`times from ${from} to ${to}`]),
    ...shown.map(({ at, reason, message }) => `${at}: ${reason}: ${message}`),
  ];
  const verdict = problem === null ? (dryRun ? ['nothing appended: a dry run'] : []) : [`nothing appended: ${problem}`];
  const text = [
    renderTable([stream, 'count'], counts),
    renderTable(
      ['field', 'taken from'],
      [...used].map(([field, column]) => [field, column]),
    ),
    ...notes,
    ...verdict,
  ].join('\n');
  return { data, text, failed: problem !== null };
}
