/** One candidate in a process of its own, so that its memory and CPU time are its own. Prints one line of JSON. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../measure.ts';
import { type CandidateName, openCandidate } from './candidates.ts';

export interface StoreFigures {
  readonly fillUsPerUnit: number;
  readonly usPerUpdate: number;
  readonly cpuUsPerUpdate: number;
  readonly commitMsP50: number;
  readonly commitMsMax: number;
  readonly rssMb: number;
  readonly diskMb: number;
}

const BATCH = 5_000;
const VALUE_BYTES = 180;
const CACHE_BYTES = 64_000_000;

const [name, units, updates] = [process.argv[2] as CandidateName, Number(process.argv[3]), Number(process.argv[4])];
const folder = await mkdtemp(join(process.env.CROUPIER_BENCH_FOLDER ?? tmpdir(), 'croupier-store-'));
try {
  process.stdout.write(`${JSON.stringify(await figures())}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function figures(): Promise<StoreFigures> {
  const store = await openCandidate(name, { folder, cacheBytes: CACHE_BYTES });
  const fresh = Buffer.alloc(VALUE_BYTES, 1);
  const filled = performance.now();
  for (let first = 0; first < units; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, units - first) }, (_, at) => unitOf(first + at));
    await store.update(batch, () => fresh);
  }
  const fillUsPerUnit = ((performance.now() - filled) * 1_000) / units;
  const commits: number[] = [];
  const began = process.cpuUsage();
  const start = performance.now();
  for (let done = 0; done < updates; done += BATCH) {
    const batch = new Set<string>();
    for (let at = 0; at < BATCH; at++) batch.add(unitOf(Math.floor(Math.random() * units)));
    const before = performance.now();
    await store.update([...batch], changed);
    commits.push(performance.now() - before);
  }
  const usPerUpdate = ((performance.now() - start) * 1_000) / updates;
  const { user, system } = process.cpuUsage(began);
  const rssMb = process.memoryUsage.rss() / 2 ** 20;
  const diskMb = (await size(folder)) / 2 ** 20;
  await store.close();
  const cpuUsPerUpdate = (user + system) / updates;
  const commitMsMax = Math.max(...commits);
  return { fillUsPerUnit, usPerUpdate, cpuUsPerUpdate, commitMsP50: median(commits), commitMsMax, rssMb, diskMb };
}

function changed(value: Buffer | undefined): Buffer {
  if (value?.length !== VALUE_BYTES) throw new Error('a unit that was written is not there');
  const next = Buffer.from(value);
  next[0] = (next[0]! + 1) & 255;
  return next;
}

function unitOf(index: number): string {
  return `unit-${(Math.imul(index, 0x9e3779b1) >>> 0).toString(36)}-${index}`;
}

async function size(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true })) bytes += (await stat(join(path, entry))).size;
  return bytes;
}
