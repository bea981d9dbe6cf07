/**
 * All the mirrors of one process: saves to each in the background, loads from each that answers. There may be none.
 * Not here: which record is served; the views that take what is loaded keep the newest.
 */
import { type Corrupt, Unavailable } from '../../core/errors.ts';
import { MirrorWriter } from './mirror-writer.ts';
import type { MirroredKind, MirroredRecord } from './mirrored-record.ts';
import type { Mirror } from './port.ts';

export interface MirrorsObserver {
  unavailable(mirror: string, error: Unavailable): void;
  /** What is kept there is not whole; it is left out. */
  damaged(mirror: string, error: Corrupt): void;
}

export class Mirrors {
  private readonly mirrors: readonly Mirror[];
  private readonly writers: readonly MirrorWriter[];
  private readonly observer: MirrorsObserver;

  constructor(mirrors: readonly Mirror[], observer: MirrorsObserver) {
    this.mirrors = mirrors;
    this.observer = observer;
    this.writers = mirrors.map(
      (mirror) => new MirrorWriter(mirror, (error) => observer.unavailable(mirror.name, error)),
    );
  }

  /** Never waits. */
  offer(record: MirroredRecord): void {
    for (const writer of this.writers) writer.offer(record);
  }

  /** @returns what all of them hold, the same key perhaps several times. */
  async load(kind: MirroredKind): Promise<readonly MirroredRecord[]> {
    const loaded = await Promise.all(this.mirrors.map((mirror) => this.loadFrom(mirror, kind)));
    return loaded.flat();
  }

  async stop(): Promise<void> {
    await Promise.all(this.writers.map((writer) => writer.stop()));
  }

  private async loadFrom(mirror: Mirror, kind: MirroredKind): Promise<readonly MirroredRecord[]> {
    try {
      return await mirror.load(kind, (error) => this.observer.damaged(mirror.name, error));
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.observer.unavailable(mirror.name, error);
      return [];
    }
  }
}
