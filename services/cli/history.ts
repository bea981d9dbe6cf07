/**
 * Past events from files, row by row, as the log will have them; what no learner could learn is given as its refusal.
 * Reading again gives the same. Not here: what is told of them, and the log (commands/backfill.ts).
 */
import type { Codecs } from '../contracts/codec.ts';
import type { Cells } from '../contracts/history/cells.ts';
import {
  type ColumnOptions,
  Columns,
  DECISION_FIELDS,
  type DecisionField,
  REWARD_FIELDS,
  type RewardField,
} from '../contracts/history/columns.ts';
import { type HistoryRules, pastDecision, pastReward } from '../contracts/history/events.ts';
import { Invalid } from '../core/errors.ts';
import type { Stream, UnitId } from '../core/events.ts';
import type { OpenRows, RowFile } from '../platform/files/rows.ts';

export interface PastEvent {
  readonly unitId: UnitId;
  readonly timeMs: number;
  /** Of decisions the id, of rewards with the revision. */
  readonly id: string;
  readonly value: Buffer;
  /** Numbers of the context that were cut to the grid's range. */
  readonly clipped: number;
  /** A decision that others, made live, may already stand before on the log. */
  readonly afterDefinition: boolean;
}

export interface PastRow {
  readonly file: string;
  /** Of the file. */
  readonly line: number;
  /** Of all files. */
  readonly bytesDone: number;
  readonly event: PastEvent | Invalid;
}

export interface HistoryOptions {
  readonly stream: Stream;
  /** One after the other, as if they were one. */
  readonly files: readonly string[];
  readonly columns: ColumnOptions;
  readonly rules: HistoryRules;
  readonly codecs: Pick<Codecs, 'decision' | 'reward'>;
  readonly openRows: OpenRows;
  /** More in one go are refused, since each is remembered while the files are checked. */
  readonly rowsMax: number;
}

export interface History {
  readonly bytes: number;
  /** By field, where it was taken from so far. */
  readonly used: ReadonlyMap<string, string>;
  rows(): AsyncIterable<PastRow>;
}

/** @throws Invalid `config`, `file`. */
export async function openHistory(options: HistoryOptions): Promise<History> {
  const { used, eventOf } = options.stream === 'decisions' ? decisions(options) : rewards(options);
  const opened: { readonly file: string; readonly rows: RowFile }[] = [];
  for (const file of options.files) opened.push({ file, rows: await options.openRows(file) });
  return {
    bytes: opened.reduce((sum, { rows }) => sum + rows.bytes, 0),
    used,
    async *rows() {
      const crowd = new Crowd(options.rules.limits.unitEventsMax);
      let before = 0;
      let count = 0;
      for (const { file, rows } of opened) {
        for await (const { line, bytesDone, cells } of rows.rows()) {
          count += 1;
          if (count > options.rowsMax) throw tooMany(options.rowsMax);
          const event = refusedOr(() => crowd.letIn(eventOf(readable(cells))));
          yield { file, line, bytesDone: before + bytesDone, event };
        }
        before += rows.bytes;
      }
    },
  };
}

type EventOf = (cells: Cells) => PastEvent;

function decisions({ columns: given, rules, codecs }: HistoryOptions): {
  used: Columns<string>['used'];
  eventOf: EventOf;
} {
  const columns = new Columns<DecisionField>(DECISION_FIELDS, given);
  const eventOf: EventOf = (cells) => {
    const { event, ...told } = pastDecision(columns, cells, rules);
    const { decisionId: id, unitId, decidedAtMs: timeMs } = event;
    return { id, unitId, timeMs, ...told, value: codecs.decision.encode(event) };
  };
  return { used: columns.used, eventOf };
}

function rewards({ columns: given, rules, codecs }: HistoryOptions): {
  used: Columns<string>['used'];
  eventOf: EventOf;
} {
  const columns = new Columns<RewardField>(REWARD_FIELDS, given);
  const eventOf: EventOf = (cells) => {
    const event = pastReward(columns, cells, rules);
    const { rewardId, revision, unitId, occurredAtMs: timeMs } = event;
    return { id: `${rewardId}#${revision}`, unitId, timeMs, ...NOTHING_TOLD, value: codecs.reward.encode(event) };
  };
  return { used: columns.used, eventOf };
}

const NOTHING_TOLD = { clipped: 0, afterDefinition: false };

function readable(cells: Cells | Invalid): Cells {
  if (cells instanceof Invalid) throw cells;
  return cells;
}

function refusedOr(make: () => PastEvent): PastEvent | Invalid {
  try {
    return make();
  } catch (error) {
    if (error instanceof Invalid) return error;
    throw error;
  }
}

function tooMany(rowsMax: number): Invalid {
  return new Invalid(
    'file',
    `more than ${rowsMax} rows; allowed are so many in one go: give the files one after another`,
  );
}

/** Appended within a day, years of a unit would count as one busy day of it, and the learner would pass most of it over. */
class Crowd {
  private readonly unitEventsMax: number;
  private readonly byUnit = new Map<UnitId, number>();

  constructor(unitEventsMax: number) {
    this.unitEventsMax = unitEventsMax;
  }

  letIn(event: PastEvent): PastEvent {
    const { unitId } = event;
    const events = (this.byUnit.get(unitId) ?? 0) + 1;
    this.byUnit.set(unitId, events);
    if (events <= this.unitEventsMax) return event;
    throw new Invalid(
      'crowded',
      `unit ${unitId} has more than ${this.unitEventsMax} of them, as many as are learned from in one span of log time: ` +
        'raise CROUPIER_JOIN_UNIT_EVENTS for all learners and here',
    );
  }
}
