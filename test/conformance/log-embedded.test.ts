/** The embedded log keeps the promises of the log port, in memory and in a folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { EmbeddedLog } from '../../services/platform/embedded/log.ts';
import type { Log } from '../../services/platform/log/port.ts';
import { describeLog } from './log.ts';

const compact = (log: Log, topic: string): void => (log as EmbeddedLog).compact(topic);
const root = mkdtempSync(join(tmpdir(), 'croupier-log-'));
afterAll(() => rmSync(root, { recursive: true }));

describeLog('embedded log in a folder', {
  open: () => new EmbeddedLog({ folder: join(root, 'log'), now: Date.now }),
  compact,
});

describeLog('embedded log in memory', {
  open: () => new EmbeddedLog({ folder: null, now: Date.now }),
  compact,
  isVolatile: true,
});
