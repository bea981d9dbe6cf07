/** What a bench claims: figures against their limits, as a table and as JSON. */
import { writeFile } from 'node:fs/promises';
import Table from 'cli-table3';

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: number;
  /** Whether the value must not be above the limit, or not below it. */
  readonly bound: 'at most' | 'at least';
  readonly holds: boolean;
}

export function bar(name: string, value: number, unit: string, bound: Bar['bound'], limit: number): Bar {
  return { name, value, unit, limit, bound, holds: bound === 'at most' ? value <= limit : value >= limit };
}

/**
 * Prints the bars, and writes them to a file if asked for. The exit code is 1 when one does not hold.
 * @param details what else the file says.
 */
export async function reportBars(bars: readonly Bar[], json: string | undefined, details: object = {}): Promise<void> {
  const table = new Table({ head: ['', 'measured', 'limit', ''], style: { head: [] } });
  for (const { name, value, unit, bound, limit, holds } of bars) {
    table.push([
      name,
      `${Number(value.toPrecision(5))} ${unit}`,
      `${bound} ${Number(limit.toPrecision(5))} ${unit}`,
      holds ? 'holds' : 'FAILS',
    ]);
  }
  process.stdout.write(`${table.toString()}\n`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ bars, ...details }, null, 2)}\n`);
  if (bars.some(({ holds }) => !holds)) process.exitCode = 1;
}
