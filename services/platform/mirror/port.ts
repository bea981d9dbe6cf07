/**
 * A mirror: a place outside the log that keeps the newest record of each key, for starting while the log is away.
 * It may lag behind and it may be lost: it is filled again from the log.
 */
import type { Corrupt } from '../../core/errors.ts';
import type { MirroredKind, MirroredRecord } from './mirrored-record.ts';

export interface Mirror {
  /** For messages, such as `redis` or `disk`. */
  readonly name: string;
  /** Keeps the record unless one of the same or greater rank is there. @throws Unavailable. */
  save(record: MirroredRecord): Promise<void>;
  /** @returns what is whole; what is not is told and left out. @throws Unavailable. */
  load(kind: MirroredKind, damaged: (error: Corrupt) => void): Promise<readonly MirroredRecord[]>;
  close(): Promise<void>;
}
