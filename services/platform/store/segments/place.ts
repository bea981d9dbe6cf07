/** Where a record stands, as 32 bits: the slot of its segment and its offset in steps of 8 bytes. Never 0. */

const OFFSET_BITS = 20;
/** Slots are from 1 to this: 32 GiB of segments. */
export const SLOTS_MAX = 2 ** (32 - OFFSET_BITS) - 1;

export function placeOf(slot: number, offset: number): number {
  return ((slot << OFFSET_BITS) | (offset >>> 3)) >>> 0;
}

export function slotOfPlace(place: number): number {
  return place >>> OFFSET_BITS;
}

export function offsetOfPlace(place: number): number {
  return (place & (2 ** OFFSET_BITS - 1)) << 3;
}
