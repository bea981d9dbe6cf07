/**
 * Keeps one mirror up to date in the background. Owns what is still to be saved: the newest record of each key, so a
 * mirror that is slow or away skips versions instead of piling them up.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Unavailable } from '../../core/errors.ts';
import { isNewer, type MirroredRecord } from './mirrored-record.ts';
import type { Mirror } from './port.ts';

const RETRY_DELAY_MS = 1_000;

export class MirrorWriter {
  private readonly mirror: Mirror;
  private readonly onUnavailable: (error: Unavailable) => void;
  private readonly pending = new Map<string, MirroredRecord>();
  private readonly stopping = new AbortController();
  private saving: Promise<void> | null = null;

  constructor(mirror: Mirror, onUnavailable: (error: Unavailable) => void) {
    this.mirror = mirror;
    this.onUnavailable = onUnavailable;
  }

  /** Never waits. */
  offer(record: MirroredRecord): void {
    const name = `${record.kind}/${record.key}`;
    const waiting = this.pending.get(name);
    if (waiting !== undefined && isNewer(waiting.rank, record.rank)) return;
    this.pending.set(name, record);
    this.saving ??= this.saveAll().finally(() => {
      this.saving = null;
    });
  }

  /** Saves what is pending, each record tried once more, then closes the mirror. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.saving;
    await this.mirror.close();
  }

  private async saveAll(): Promise<void> {
    // Lets the caller finish its batch first, so that only the newest of each key is saved.
    await Promise.resolve();
    for (let next = this.first(); next !== undefined; next = this.first()) {
      const [name, record] = next;
      this.pending.delete(name);
      try {
        await this.mirror.save(record);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.onUnavailable(error);
        if (this.stopping.signal.aborted) return;
        if (!this.pending.has(name)) this.pending.set(name, record);
        // Only stopping ends the wait early.
        await delay(RETRY_DELAY_MS, undefined, { signal: this.stopping.signal }).catch(() => {});
      }
    }
  }

  private first(): [string, MirroredRecord] | undefined {
    for (const entry of this.pending) return entry;
    return undefined;
  }
}
