/**
 * Which column of a file says what: by usual names, unless told. Owns which columns were used, so that who reads a file
 * can see what was taken for what.
 */
import { Invalid } from '../../core/errors.ts';
import { unknownName } from '../nearest.ts';
import { refuse } from '../refusals.ts';
import { type Cell, type Cells, isMissing } from './cells.ts';

/** By field, the names that its column usually has, the field's own first. Case and `_`, `-`, blanks make no difference. */
export type Fields<F extends string> = Readonly<Record<F, readonly string[]>>;

export const DECISION_FIELDS = {
  time: ['decidedAt', 'decidedAtMs', 'timestamp', 'ts', 'decisionTime', 'eventTime', 'date'],
  unit: ['unitId', 'userId', 'user', 'customerId'],
  arm: ['armId', 'arms', 'action', 'variant'],
  propensity: ['propensities', 'probability', 'prob', 'actionProb', 'pscore'],
  experiment: ['experimentId', 'expId'],
  id: ['decisionId'],
  policy: ['algorithm'],
  reason: [],
} as const;
export type DecisionField = keyof typeof DECISION_FIELDS;

export const REWARD_FIELDS = {
  time: ['occurredAt', 'occurredAtMs', 'timestamp', 'ts', 'rewardTime', 'eventTime', 'date'],
  unit: ['unitId', 'userId', 'user', 'customerId'],
  value: ['reward', 'amount'],
  metric: [],
  experiment: ['experimentId', 'expId'],
  decision: ['decisionId'],
  arm: ['armId', 'action', 'variant'],
  id: ['rewardId'],
  revision: [],
} as const;
export type RewardField = keyof typeof REWARD_FIELDS;

/** Before the name of a feature of the context. */
export const CONTEXT_PREFIX = 'context.';

export interface ColumnOptions {
  /** `field=column` or `context.feature=column`. */
  readonly map: readonly string[];
  /** `field=value`, the same for all rows. */
  readonly set: readonly string[];
}

export class Columns<F extends string> {
  private readonly fields: Fields<F>;
  private readonly mapped: ReadonlyMap<string, string>;
  private readonly constants: ReadonlyMap<string, string>;
  /** Of the row seen last; rows of one file mostly have the same columns. */
  private seen: { readonly cells: Cells; readonly key: string; readonly byPlain: ReadonlyMap<string, string> } = {
    cells: new Map(),
    key: '',
    byPlain: new Map(),
  };
  /** By field, the column or `="value"` that it was taken from. */
  readonly used = new Map<string, string>();

  /** @throws Invalid `config`. */
  constructor(fields: Fields<F>, { map, set }: ColumnOptions) {
    this.fields = fields;
    this.mapped = this.pairs('--map', map);
    this.constants = this.pairs('--set', set);
    const both = [...this.mapped.keys()].find((field) => this.constants.has(field));
    if (both !== undefined) throw new Invalid('config', `${both} has both --map and --set, allowed is one of them`);
  }

  /** @returns `null` when it is missing. */
  perhaps(field: F, cells: Cells): Cell | null {
    return this.find(field, [field, ...this.fields[field]], cells);
  }

  /** @throws Invalid `missing`. */
  needed(field: F, cells: Cells): Cell {
    const cell = this.perhaps(field, cells);
    if (cell !== null) return cell;
    const column = this.mapped.get(field);
    const looked = column === undefined ? [field, ...this.fields[field]].join(', ') : column;
    refuse('missing', `${field} is missing; looked for in ${looked}; --map ${field}=COLUMN or --set ${field}=VALUE`);
  }

  /** @returns `null` when it is missing. */
  feature(name: string, cells: Cells): Cell | null {
    return this.find(`${CONTEXT_PREFIX}${name}`, [`${CONTEXT_PREFIX}${name}`, name], cells);
  }

  private find(field: string, names: readonly string[], cells: Cells): Cell | null {
    const constant = this.constants.get(field);
    if (constant !== undefined) return this.use(field, `="${constant}"`, constant);
    const mapped = this.mapped.get(field);
    if (mapped !== undefined) return this.use(field, mapped, cells.get(mapped));
    const columns = this.columnsOf(cells);
    for (const name of names) {
      const column = columns.get(plain(name));
      const cell = column === undefined ? null : this.use(field, column, cells.get(column));
      if (cell !== null) return cell;
    }
    return null;
  }

  private use(field: string, from: string, cell: Cell | undefined): Cell | null {
    if (isMissing(cell)) return null;
    if (!this.used.has(field)) this.used.set(field, from);
    return cell;
  }

  /** @returns by a column's plain name, that in the row. */
  private columnsOf(cells: Cells): ReadonlyMap<string, string> {
    if (cells !== this.seen.cells) {
      const names = [...cells.keys()];
      const key = names.join('\n');
      const byPlain = key === this.seen.key ? this.seen.byPlain : new Map(names.map((name) => [plain(name), name]));
      this.seen = { cells, key, byPlain };
    }
    return this.seen.byPlain;
  }

  private pairs(option: string, texts: readonly string[]): Map<string, string> {
    return new Map(texts.map((text) => this.pair(option, text)));
  }

  private pair(option: string, text: string): readonly [string, string] {
    const at = text.indexOf('=');
    const field = text.slice(0, Math.max(at, 0));
    if (at < 1 || at === text.length - 1) {
      throw new Invalid('config', `${option} ${JSON.stringify(text)}, allowed is FIELD=… such as unit=customer`);
    }
    const known = Object.keys(this.fields);
    if (!known.includes(field) && !field.startsWith(CONTEXT_PREFIX)) {
      throw new Invalid(
        'config',
        `${option} ${JSON.stringify(text)}: ${unknownName('field', field, [...known, `${CONTEXT_PREFIX}NAME`])}`,
      );
    }
    return [field, text.slice(at + 1)];
  }
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, '');
}
