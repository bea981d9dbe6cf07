/** `croupier decide | reward | stats`: asks a running decider over its HTTP interface, as any product service may. */
import { z } from 'zod';
import { Invalid, Unavailable } from '../../core/errors.ts';
import { type Cell, renderTable } from '../../platform/table.ts';
import type { Answer } from '../ports.ts';

const TIMEOUT_MS = 10_000;

export interface DeciderAddress {
  readonly url: string;
  /** `null` where everyone may ask. */
  readonly token: string | null;
  readonly fetch: typeof fetch;
}

export interface DecideOptions {
  readonly user: string;
  readonly context?: readonly string[];
  readonly algorithm?: string;
  /** How many arms to deal. */
  readonly slots?: number;
}

export interface RewardOptions {
  readonly user: string;
  readonly value: number;
  readonly decision?: string;
  /** Index, or id. */
  readonly arm?: string;
}

/** By arm in order of definition; `null` where nothing is known. */
const perArm = z.array(z.number().nullable());

const decided = z.looseObject({
  decision_id: z.string(),
  slots: z.array(z.looseObject({ arm: z.number(), strategy_id: z.string(), propensity: z.number() })),
  debug: z.looseObject({ scores: perArm, counts: perArm, values: perArm }).partial().optional(),
});

const group = z.object({ pulls: z.number(), counted: z.number(), value: z.number().nullable() });

const statistics = z.looseObject({
  exp_id: z.string(),
  algorithm: z.string(),
  total_pulls: z.number(),
  best_arm: z.number().nullable(),
  arm_counts: perArm,
  arm_values: perArm,
  holdout: z.object({ held_out: group, others: group }).nullable(),
});

/** @throws Invalid when it refuses; Unavailable when it does not answer. */
export async function decide(decider: DeciderAddress, experiment: string, options: DecideOptions): Promise<Answer> {
  const { user, context = [], algorithm, slots } = options;
  const data = await ask(decider, 'select_arm', {
    exp_id: experiment,
    user_id: user,
    context: parseContext(context),
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(slots === undefined ? {} : { slots }),
  });
  const { decision_id, slots: dealt, debug } = read(decided, data, 'select_arm');
  const rows: Cell[][] = [
    ...dealt.flatMap(({ arm, strategy_id, propensity }): Cell[][] => [
      ['arm', `${strategy_id} (index ${arm})`],
      ['propensity', String(propensity)],
    ]),
    ['decision', decision_id],
  ];
  const arms =
    debug === undefined ? '' : `\n${armsTable({ score: debug.scores, count: debug.counts, value: debug.values })}`;
  return { data, text: renderTable(['experiment', experiment], rows) + arms };
}

/** @throws as `decide`. */
export async function reward(decider: DeciderAddress, experiment: string, options: RewardOptions): Promise<Answer> {
  const { user, value, decision, arm } = options;
  const data = await ask(decider, 'update_reward', {
    exp_id: experiment,
    user_id: user,
    reward: value,
    ...(arm === undefined ? {} : { arm: /^\d+$/.test(arm) ? Number(arm) : arm }),
    ...(decision === undefined ? {} : { decision_id: decision }),
  });
  const of =
    decision === undefined ? `the decisions of ${user} before it that its attribution names` : `decision ${decision}`;
  return { data, text: `${experiment}: reward ${value} of ${user} is on the log, for ${of}` };
}

/** @throws as `decide`. */
export async function stats(
  decider: DeciderAddress,
  { experiment, algorithm }: { readonly experiment?: string; readonly algorithm?: string },
): Promise<Answer> {
  const query = new URLSearchParams({
    ...(experiment === undefined ? {} : { exp_id: experiment }),
    ...(algorithm === undefined ? {} : { algorithm }),
  });
  const data = await ask(decider, query.size === 0 ? 'stats' : `stats?${query}`);
  if (experiment === undefined) {
    const { experiments } = read(z.looseObject({ experiments: z.array(statistics) }), data, 'stats');
    const rows = experiments.map((one) => [
      one.exp_id,
      one.algorithm,
      one.total_pulls,
      String(one.best_arm ?? 'none yet'),
    ]);
    return { data, text: renderTable(['experiment', 'algorithm', 'pulls', 'best arm'], rows) };
  }
  const answer = read(statistics, data, 'stats');
  const { exp_id, algorithm: used, total_pulls, best_arm, arm_counts, arm_values, holdout } = answer;
  const title = `${exp_id} by ${used}: ${total_pulls} pulls, best arm ${best_arm ?? 'none yet'}`;
  const tables = [
    armsTable({ pulls: arm_counts, value: arm_values }),
    ...(holdout === null ? [] : [holdoutTable(holdout)]),
  ];
  return { data, text: [title, ...tables].join('\n') };
}

function holdoutTable({ held_out, others }: NonNullable<z.output<typeof statistics>['holdout']>): string {
  const row = (name: string, { pulls, counted, value }: z.output<typeof group>): Cell[] => [
    name,
    pulls,
    shown(counted),
    shown(value),
  ];
  return renderTable(['units', 'pulls', 'counted', 'value'], [row('held out', held_out), row('all others', others)]);
}

/**
 * @param pairs name=value: true, false, numbers and "quoted text" as in JSON, anything else is text.
 * @throws Invalid `context`.
 */
export function parseContext(pairs: readonly string[]): Record<string, boolean | number | string> {
  const entries = pairs.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw new Invalid('context', `context ${JSON.stringify(pair)}, allowed is name=value`);
    return [pair.slice(0, at), contextValue(pair.slice(at + 1))] as const;
  });
  return Object.fromEntries(entries);
}

function contextValue(text: string): boolean | number | string {
  if (!/^(true|false|-?\d.*|".*")$/s.test(text)) return text;
  try {
    return JSON.parse(text) as boolean | number | string;
  } catch {
    // 2026-01-01 begins like a number and is text.
    return text;
  }
}

function armsTable(columns: Readonly<Record<string, z.output<typeof perArm> | undefined>>): string {
  const given = Object.entries(columns).flatMap(([name, values]) => (values === undefined ? [] : [{ name, values }]));
  const arms = Math.max(0, ...given.map(({ values }) => values.length));
  const rows = Array.from({ length: arms }, (_, arm): Cell[] => [
    arm,
    ...given.map(({ values }) => shown(values[arm])),
  ]);
  return renderTable(['arm', ...given.map(({ name }) => name)], rows);
}

/** Values learned on the fixed-point grid differ from the true ones far to the right. */
function shown(value: number | null | undefined): Cell {
  return value === null || value === undefined ? '-' : Number(value.toPrecision(6));
}

async function ask({ url, token, fetch }: DeciderAddress, path: string, body?: object): Promise<unknown> {
  const address = `${url.replace(/\/+$/, '')}/${path}`;
  const response = await answered(url, () =>
    fetch(address, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }),
  );
  const text = await answered(url, () => response.text());
  if (!response.ok) throw refusal(response.status, text);
  return parseJson(text) ?? misunderstood(path, 'the answer is not JSON');
}

async function answered<T>(url: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const { message, cause: below } = cause as Error;
    const why = below instanceof Error && below.message !== '' ? below.message : message;
    throw new Unavailable(
      'decider-unavailable',
      `the decider at ${url} does not answer (${why}); --decider or CROUPIER_DECIDER_URL says where it is`,
      { cause },
    );
  }
}

const problem = z.looseObject({
  code: z.string().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
});

function refusal(status: number, text: string): Invalid | Unavailable {
  const { code, message, error } = problem.safeParse(parseJson(text)).data ?? {};
  const said = message ?? error ?? (text.slice(0, 200) || `HTTP status ${status}`);
  return status >= 500 || status === 429
    ? new Unavailable(code ?? 'decider-unavailable', said)
    : new Invalid(code ?? 'decider-refused', said);
}

function read<T>(type: z.ZodType<T>, data: unknown, path: string): T {
  const result = type.safeParse(data);
  return result.success ? result.data : misunderstood(path, z.prettifyError(result.error).replaceAll('\n', ' '));
}

function misunderstood(path: string, why: string): never {
  throw new Invalid('decider-answer', `what answers to ${path} is no decider of this version: ${why}`);
}

/** @returns `undefined` when it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
