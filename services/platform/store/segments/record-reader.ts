/**
 * Reads single records from the files of segments, most of them by one read: the first one takes as much as records of late
 * have led it to expect. Owns the memory that it reads into.
 */
import { unreadable } from './errors.ts';
import { alignedTo8, Bytes, isIntact, lengthAt, RECORD_HEADER_BYTES } from './record.ts';
import { SEGMENT_BYTES_MAX, type Segment } from './segment.ts';

const GUESS_BYTES_MIN = 512;
/** How much each record counts in the mean of late. */
const SHARE = 1 / 64;

export class RecordReader {
  private bytes = new Bytes(GUESS_BYTES_MIN);
  /** Twice what records took in the mean. */
  private guess = GUESS_BYTES_MIN;

  /** @returns a view of the record, at its begin, which the next call may change. @throws Corrupt; Unavailable. */
  read(segment: Segment, offset: number): Bytes {
    let read = segment.read(offset, this.roomFor(this.guess), this.guess);
    const length = read < RECORD_HEADER_BYTES ? 0 : alignedTo8(lengthAt(this.bytes, 0));
    if (length > read && length <= SEGMENT_BYTES_MAX) read = segment.read(offset, this.roomFor(length), length);
    if (!isIntact(this.bytes, 0, read)) {
      throw unreadable(`a record at ${offset} of ${segment.path} is not what was written`);
    }
    this.guess = Math.max(GUESS_BYTES_MIN, Math.round(this.guess + (2 * length - this.guess) * SHARE));
    return this.bytes;
  }

  private roomFor(length: number): Bytes {
    if (length > this.bytes.buffer.length) this.bytes = new Bytes(alignedTo8(2 * length));
    return this.bytes;
  }
}
