import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { rethrow } from '../../../../services/core/errors.ts';
import * as checkpoint from '../../../../services/platform/store/segments/checkpoint.ts';
import { openSegmentStore } from '../../../../services/platform/store/segments/store.ts';

vi.mock('../../../../services/platform/store/segments/checkpoint.ts', async (original) => ({
  ...(await original<typeof checkpoint>()),
  writeCheckpoint: vi.fn(),
}));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-store-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('checkpoints are written one at a time, and commits wait for a slow disk: each is as large as the index', async () => {
  const disk = Promise.withResolvers<void>();
  const write = vi.mocked(checkpoint.writeCheckpoint).mockReturnValue(disk.promise);
  const store = await openSegmentStore({ folder, cacheBytes: 0, segmentBytes: 65_536, onUnreadable: rethrow });
  const sealSegments = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      store.put(`u${i}`, Buffer.alloc(40_000), 1);
      await store.commit();
    }
  };
  const sealed = sealSegments(50);
  await vi.waitFor(() => expect(write).toHaveBeenCalledTimes(1));
  // Time enough for the next ones, if commits did not wait.
  const isDone = await Promise.race([sealed.then(() => true), delay(200, false)]);
  expect([isDone, write.mock.calls.length]).toEqual([false, 1]);
  write.mockResolvedValue();
  disk.resolve();
  await sealed;
  expect(write.mock.calls.length).toBeGreaterThan(1);
  await store.close();
});
