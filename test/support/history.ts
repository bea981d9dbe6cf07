/** A made-up past of one experiment: its files in each format, and what must be learned of it by last touch. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';

export const HISTORY_EXPERIMENT = `id: coupon
arms: [none, five, ten]
policy: { kind: beta-ts }
reward: { metrics: { revenue: { fold: sum } }, min: 0, max: 4 }
attribution: { window: 7d }
cohort: 1d
`;
const ARMS = ['none', 'five', 'ten'] as const;
const WINDOW_MS = 7 * 86_400_000;
const HOUR_MS = 3_600_000;

interface PastDecision {
  readonly unit: string;
  readonly timeMs: number;
  readonly arm: (typeof ARMS)[number];
}

interface PastReward {
  readonly unit: string;
  readonly timeMs: number;
  readonly value: number;
}

export interface MadeHistory {
  readonly decisions: readonly PastDecision[];
  readonly rewards: readonly PastReward[];
}

/** Two decisions in three bring a reward, days later; rewards come in order of their decisions, so not in that of time. */
export function madeHistory(count: number, untilMs: number): MadeHistory {
  const decisions = Array.from(
    { length: count },
    (_, i): PastDecision => ({
      unit: `user-${(i * 7) % Math.ceil(count / 4)}`,
      timeMs: untilMs - (count - i) * HOUR_MS,
      arm: ARMS[(i * 5) % 3]!,
    }),
  );
  const rewards = decisions.flatMap(({ unit, timeMs }, i): PastReward[] =>
    i % 3 === 0 ? [] : [{ unit, timeMs: Math.min(timeMs + (i % 10) * 86_400_000, untilMs), value: (i % 5) / 2 }],
  );
  return { decisions, rewards };
}

/** @returns by arm, how often it was dealt and Σr in [0, 1]. */
export function expectedOf({ decisions, rewards }: MadeHistory): Map<string, { pulls: number; sumR: number }> {
  const worth = new Map<PastDecision, number>();
  for (const { unit, timeMs, value } of rewards) {
    const owner = decisions.findLast(
      (one) => one.unit === unit && one.timeMs <= timeMs && timeMs - one.timeMs <= WINDOW_MS,
    );
    if (owner !== undefined) worth.set(owner, (worth.get(owner) ?? 0) + value);
  }
  const byArm = new Map(ARMS.map((arm) => [arm as string, { pulls: 0, sumR: 0 }]));
  for (const decision of decisions) {
    const arm = byArm.get(decision.arm)!;
    arm.pulls += 1;
    arm.sumR += Math.min((worth.get(decision) ?? 0) / 4, 1);
  }
  return byArm;
}

export type Format = 'csv' | 'ndjson' | 'parquet';

/** @returns the paths of both files. */
export async function writeHistory(
  folder: string,
  { decisions, rewards }: MadeHistory,
  format: Format,
): Promise<{ decisions: string; rewards: string }> {
  const tables = {
    decisions: decisions.map(({ unit, timeMs, arm }) => ({ user_id: unit, ts: new Date(timeMs), arm, prob: 0.25 })),
    rewards: rewards.map(({ unit, timeMs, value }) => ({ user_id: unit, ts: new Date(timeMs), amount: value })),
  };
  const paths = { decisions: join(folder, `decisions.${format}`), rewards: join(folder, `rewards.${format}`) };
  for (const name of ['decisions', 'rewards'] as const) await writeTable(paths[name], tables[name], format);
  return paths;
}

type Row = Readonly<Record<string, string | number | Date>>;

async function writeTable(path: string, rows: readonly Row[], format: Format): Promise<void> {
  const names = Object.keys(rows[0]!);
  switch (format) {
    case 'csv':
      return writeFile(path, [names, ...rows.map((row) => names.map((name) => csvCell(row[name]!)))].join('\n'));
    case 'ndjson':
      return writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'));
    case 'parquet':
      return parquetWriteFile({
        filename: path,
        rowGroupSize: 1_000,
        columnData: names.map((name) => ({ name, data: rows.map((row) => row[name]) })),
      });
  }
}

function csvCell(value: string | number | Date): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
