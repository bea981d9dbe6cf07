/** What the Avro schemas promise: documented, registered once, and able to read their past. */
import avsc, { type Type } from 'avsc';
import { describe, expect, it } from 'vitest';
import { type AvroSchema, avroType } from '../../../services/contracts/avro.ts';
import { RECORD_KINDS } from '../../../services/contracts/keys.ts';
import { COMPATIBILITY, loadHistory, loadSchemas } from '../../../services/contracts/schemas.ts';

const schemas = loadSchemas();

/** Every definition or field within a schema that has no doc. */
function undocumented(schema: unknown, path: string): string[] {
  if (Array.isArray(schema)) return schema.flatMap((part, index) => undocumented(part, `${path}[${index}]`));
  if (typeof schema !== 'object' || schema === null) return [];
  const { name, doc, fields, type, items } = schema as Record<string, unknown>;
  const missing = name !== undefined && (typeof doc !== 'string' || doc.length === 0) ? [`${path}/${name}`] : [];
  const parts = [...(Array.isArray(fields) ? fields : []), type, items];
  return [...missing, ...parts.flatMap((part) => undocumented(part, `${path}/${String(name ?? '')}`))];
}

function reads(reader: AvroSchema, writer: AvroSchema): boolean {
  try {
    avroType(reader).createResolver(avroType(writer));
    return true;
  } catch {
    // avsc says by throwing that it cannot.
    return false;
  }
}

function withField(schema: AvroSchema, field: object): AvroSchema {
  const record = structuredClone(schema) as unknown as { fields: object[] };
  record.fields.push(field);
  return record as unknown as AvroSchema;
}

describe.each(RECORD_KINDS)('schema %s', (kind) => {
  const current = JSON.parse(schemas.get(kind)!.text) as AvroSchema;
  const history = loadHistory(kind);

  it('has a doc on every record, enum and field', () => {
    expect(undocumented(current, '')).toEqual([]);
  });

  it('stands in its namespace', () => {
    expect(schemas.get(kind)!.type.name).toMatch(/^dev\.croupier\.v1\.[A-Z][A-Za-z]+$/);
  });

  it('is the newest version in history, so that a change cannot forget to keep its past', () => {
    expect(history.at(-1)).toEqual(current);
  });

  it('reads every version in history, and is read by them where its level says so', () => {
    for (const past of history) {
      expect(reads(current, past)).toBe(true);
      if (COMPATIBILITY[kind] === 'FULL_TRANSITIVE') expect(reads(past, current)).toBe(true);
    }
  });

  it('is refused when a field without default is added, which the past cannot fill', () => {
    const incompatible = withField(current, { name: 'added', type: 'string', doc: 'No default.' });
    expect(reads(incompatible, current)).toBe(false);
    const compatible = withField(current, { name: 'added', type: 'string', default: '', doc: 'With default.' });
    expect(reads(compatible, current)).toBe(true);
  });
});

it('a missing doc would be noticed', () => {
  const schema = { type: 'record', name: 'A', doc: 'a', fields: [{ name: 'x', type: 'int' }] };
  expect(undocumented(schema, '')).toEqual(['/A/x']);
});

describe('hostile bytes', () => {
  const list = avroType({ type: 'array', items: 'double' });
  const long = avsc.Type.forSchema('long') as Type;

  it('that announce more items than bytes are refused before memory is spent', () => {
    for (const count of [1, 1_000_000_000, -1_000_000_000]) {
      const announced = Buffer.concat([long.toBuffer(count), long.toBuffer(0)]);
      expect(() => list.fromBuffer(announced.subarray(0, -1))).toThrow();
    }
    expect(() => list.fromBuffer(long.toBuffer(1_000_000_000))).toThrow(/items announced/);
  });

  it('are refused as well in a field that the reader skips', () => {
    const field = { name: 'skipped', type: { type: 'array', items: 'double' } } as const;
    const map = { name: 'map', type: { type: 'map', values: 'double' } } as const;
    const record = (fields: readonly object[]) => ({ type: 'record', name: 'R', fields }) as unknown as AvroSchema;
    const reader = avroType(record([{ name: 'kept', type: 'int' }]));
    for (const skipped of [field, map]) {
      const resolver = reader.createResolver(avroType(record([skipped, { name: 'kept', type: 'int' }])));
      const negativeSize = Buffer.concat([long.toBuffer(-2), long.toBuffer(-4), Buffer.alloc(8)]);
      expect(() => reader.fromBuffer(long.toBuffer(1_000_000_000), resolver)).toThrow(/items announced/);
      expect(() => reader.fromBuffer(negativeSize, resolver)).toThrow();
    }
  });

  it('do not hinder lists in several blocks', () => {
    const double = (value: number) => avsc.Type.forSchema('double').toBuffer(value);
    const blocks = [
      long.toBuffer(1),
      double(1),
      long.toBuffer(-2),
      long.toBuffer(16),
      double(2),
      double(3),
      long.toBuffer(0),
    ];
    expect(list.fromBuffer(Buffer.concat(blocks))).toEqual([1, 2, 3]);
  });
});
