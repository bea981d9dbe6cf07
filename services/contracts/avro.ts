/**
 * Avro types that hostile bytes cannot exhaust. avsc reads as many items as the bytes announce, without looking whether
 * so many can be there; here a count beyond the bytes left is an error, since every item of ours takes at least one.
 */
import avsc, { type Schema, type Type } from 'avsc';
import { frequentText } from './frequent-text.ts';

export type AvroSchema = Schema;

/** The part of avsc's reader that its type definitions leave out. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  readString(): string;
  skipString(): void;
}
interface ReadableType {
  _read(tap: Tap): unknown;
  _skip(tap: Tap): void;
}

export function avroType(schema: AvroSchema): Type {
  return avsc.Type.forSchema(schema, {
    omitRecordMethods: true,
    typeHook: (part, options) => {
      if (part === 'string') return TEXT;
      if (typeof part !== 'object' || avsc.Type.isType(part) || !('type' in part)) return undefined;
      if (part.type === 'array') return new BoundedArray(part, options);
      if (part.type === 'map') return new BoundedMap(part, options);
      return undefined;
    },
  });
}

/** Longer ones are ids, which do not come again. */
const NAME_BYTES_MAX = 24;

class Text extends avsc.types.StringType {
  _read(tap: Tap): string {
    const start = tap.pos;
    const length = tap.readLong();
    const end = tap.pos + length;
    if (length < 0 || length > NAME_BYTES_MAX || end > tap.buf.length) {
      tap.pos = start;
      return tap.readString();
    }
    const text = frequentText(tap.buf, tap.pos, length);
    tap.pos = end;
    return text;
  }
}
const TEXT = new Text();

class BoundedArray extends avsc.types.ArrayType {
  _read(tap: Tap): unknown[] {
    const items = readable(this.itemsType);
    const values: unknown[] = [];
    for (let n = blockCount(tap); n > 0; n = blockCount(tap)) {
      while (n-- > 0) values.push(items._read(tap));
    }
    return values;
  }

  _skip(tap: Tap): void {
    const items = readable(this.itemsType);
    for (let n = blockCount(tap); n > 0; n = blockCount(tap)) {
      while (n-- > 0) items._skip(tap);
    }
  }
}

/** None of our schemas has a map; a later writer's may, in a field that this reader skips. */
class BoundedMap extends avsc.types.MapType {
  _skip(tap: Tap): void {
    const values = readable(this.valuesType);
    for (let n = blockCount(tap); n > 0; n = blockCount(tap)) {
      while (n-- > 0) {
        tap.skipString();
        values._skip(tap);
      }
    }
  }
}

/** @returns how many items follow, 0 at the end. The byte size after a negative count is not relied on. */
function blockCount(tap: Tap): number {
  const n = tap.readLong();
  if (n < 0) tap.readLong();
  const count = Math.abs(n);
  if (count > Math.max(0, tap.buf.length - tap.pos)) {
    throw new RangeError(`${count} items announced, ${tap.buf.length - tap.pos} bytes left`);
  }
  return count;
}

function readable(type: Type): ReadableType {
  return type as unknown as ReadableType;
}
