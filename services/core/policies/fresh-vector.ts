/**
 * Fresh small vectors for answers. A typed array of more than 64 bytes takes a microsecond to make and to collect, since
 * its cells lie outside the heap; a window of a larger one takes a tenth of that.
 * Owns the block that the next windows are cut from; no cell is given out twice.
 */

const BLOCK_CELLS = 1024;
const WINDOW_CELLS_MAX = 128;

let block = new Float64Array(BLOCK_CELLS);
let used = 0;

/** @returns zeros, the caller's own. */
export function freshVector(length: number): Float64Array {
  if (length > WINDOW_CELLS_MAX) return new Float64Array(length);
  if (used + length > BLOCK_CELLS) {
    block = new Float64Array(BLOCK_CELLS);
    used = 0;
  }
  const vector = block.subarray(used, used + length);
  used += length;
  return vector;
}

export function freshCopy(values: Float64Array): Float64Array {
  const copy = freshVector(values.length);
  copy.set(values);
  return copy;
}
