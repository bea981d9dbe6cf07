/**
 * The stores that were candidates for the join, behind one small interface: read some units, write them, commit. Only our
 * own is a dependency; the others are found when they are installed beside it (`npm i --no-save classic-level lmdb rocksdb-native`).
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { rethrow } from '../../../services/core/errors.ts';
import { openSegmentStore } from '../../../services/platform/store/segments/store.ts';

export interface Candidate {
  /** Reads each unit, hands what it has to `change` (if any), writes what that returns; then commits all at once. */
  update(units: readonly string[], change: (value: Buffer | undefined) => Buffer): Promise<void>;
  close(): Promise<void>;
}

export const CANDIDATES = ['segments', 'classic-level', 'lmdb', 'rocksdb-native'] as const;
export type CandidateName = (typeof CANDIDATES)[number];

export interface CandidateOptions {
  readonly folder: string;
  readonly cacheBytes: number;
}

export async function openCandidate(name: CandidateName, options: CandidateOptions): Promise<Candidate> {
  switch (name) {
    case 'segments':
      return openSegments(options);
    case 'classic-level':
      return openClassicLevel(options);
    case 'lmdb':
      return openLmdb(options);
    case 'rocksdb-native':
      return openRocksDb(options);
  }
}

async function openSegments({ folder, cacheBytes }: CandidateOptions): Promise<Candidate> {
  const store = await openSegmentStore({
    folder,
    cacheBytes,
    onUnreadable: rethrow,
  });
  return {
    async update(units, change) {
      for (const unit of units) store.put(unit, change(store.get(unit)), 1);
      await store.commit();
    },
    close: () => store.close(),
  };
}

/** @throws Error when it is not installed. */
// biome-ignore lint/suspicious/noExplicitAny: packages that are not dependencies have no types here.
function load(name: string): any {
  const from = process.env.CROUPIER_BENCH_MODULES ?? process.cwd();
  return createRequire(join(from, 'bench.js'))(name);
}

async function openClassicLevel({ folder, cacheBytes }: CandidateOptions): Promise<Candidate> {
  const { ClassicLevel } = load('classic-level');
  const db = new ClassicLevel(folder, {
    valueEncoding: 'buffer',
    cacheSize: cacheBytes / 2,
    writeBufferSize: cacheBytes / 2,
  });
  await db.open();
  return {
    async update(units, change) {
      const values: (Buffer | undefined)[] = await db.getMany([...units]);
      const batch = db.batch();
      for (const [at, unit] of units.entries()) batch.put(unit, change(values[at]));
      await batch.write();
    },
    close: () => db.close(),
  };
}

async function openLmdb({ folder }: CandidateOptions): Promise<Candidate> {
  const db = load('lmdb').open({ path: folder, encoding: 'binary', noSync: true, mapSize: 64 * 2 ** 30 });
  return {
    async update(units, change) {
      const values = units.map((unit) => change(db.getBinary(unit)));
      await db.transaction(() => {
        for (const [at, unit] of units.entries()) db.put(unit, values[at]);
      });
    },
    close: () => db.close(),
  };
}

async function openRocksDb({ folder }: CandidateOptions): Promise<Candidate> {
  const db = new (load('rocksdb-native'))(folder);
  await db.ready();
  return {
    async update(units, change) {
      const reading = db.read();
      const gets: Promise<Buffer | null>[] = units.map((unit) => reading.get(unit));
      reading.tryFlush();
      const values = await Promise.all(gets);
      reading.destroy();
      const batch = db.write();
      for (const [at, unit] of units.entries()) batch.tryPut(unit, change(values[at] ?? undefined));
      await batch.flush();
      batch.destroy();
    },
    close: () => db.close(),
  };
}
