/** `npm run bench -- stores`: the join's store beside the libraries that could be in its place, each in a process of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { type Bar, bar } from './bars.ts';
import { CANDIDATES, type CandidateName } from './stores/candidates.ts';
import type { StoreFigures } from './stores/one.ts';

export interface StoresBenchOptions {
  /** In millions; 1 and 10 when there are none. */
  readonly pending: readonly number[];
  readonly updates: number;
}

const DECISIONS_PER_UNIT = 4;
const COLUMNS: readonly [keyof StoreFigures, string][] = [
  ['cpuUsPerUpdate', 'CPU µs an update'],
  ['usPerUpdate', 'µs an update'],
  ['fillUsPerUnit', 'µs to fill'],
  ['commitMsP50', 'commit ms p50'],
  ['commitMsMax', 'max'],
  ['rssMb', 'RSS MB'],
  ['diskMb', 'disk MB'],
];

export async function storeBars({ pending, updates }: StoresBenchOptions): Promise<readonly Bar[]> {
  const bars: Bar[] = [];
  for (const millions of pending.length === 0 ? [1, 10] : pending) {
    const table = new Table({
      head: [`${millions} M pending`, ...COLUMNS.map(([, title]) => title)],
      style: { head: [] },
    });
    const cpu = new Map<CandidateName, number>();
    for (const name of CANDIDATES) {
      const figures = await figuresOf(name, (millions * 1_000_000) / DECISIONS_PER_UNIT, updates);
      if (figures === null) continue;
      cpu.set(name, figures.cpuUsPerUpdate);
      table.push([name, ...COLUMNS.map(([column]) => figures[column].toPrecision(3))]);
    }
    process.stdout.write(`${table.toString()}\n`);
    const others = [...cpu].filter(([name]) => name !== 'segments').map(([, used]) => used);
    if (others.length === 0) continue;
    const share = cpu.get('segments')! / Math.min(...others);
    bars.push(bar(`segments, CPU to the best library, ${millions} M pending`, share, '×', 'at most', 0.75));
  }
  return bars;
}

/** @returns `null` when the library is not installed, which is said. */
async function figuresOf(name: CandidateName, units: number, updates: number): Promise<StoreFigures | null> {
  const script = join(import.meta.dirname, 'stores', 'one.ts');
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, name, String(units), String(updates)]);
    return JSON.parse(stdout) as StoreFigures;
  } catch (error) {
    if (!String(error).includes('Cannot find module')) throw error;
    process.stderr.write(`${name} is not installed and left out: npm i --no-save ${name}\n`);
    return null;
  }
}
