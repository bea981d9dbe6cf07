import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Invalid } from '../../../../services/core/errors.ts';
import { openRows, type Row } from '../../../../services/platform/files/rows.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'croupier-rows-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function rowsOf(name: string, content?: string): Promise<Row[]> {
  const path = join(folder, name);
  if (content !== undefined) await writeFile(path, content);
  return Array.fromAsync((await openRows(path)).rows());
}

function plain({ line, cells }: Row): unknown {
  return [line, cells instanceof Invalid ? cells.message : Object.fromEntries(cells)];
}

test('a CSV as spreadsheets write it is read line by line', async () => {
  const rows = await rowsOf('a.csv', '\ufeffunit, note\r\n1,"a, ""b"""\r\n\r\n2,"two\nlines"\r\n3,\r\n');
  expect(rows.map(plain)).toEqual([
    [2, { unit: '1', note: 'a, "b"' }],
    [5, { unit: '2', note: 'two\nlines' }],
    [6, { unit: '3', note: '' }],
  ]);
});

test('cells too few or too many spoil a row of a CSV, not the file', async () => {
  const rows = await rowsOf('b.csv', 'a,b\n1\n1,2\n1,2,3\n');
  expect(rows.map(plain)).toEqual([
    [2, '1 cells, allowed are 2 as in the first line'],
    [3, { a: '1', b: '2' }],
    [4, '3 cells, allowed are 2 as in the first line'],
  ]);
});

test('tabs separate the cells of a TSV', async () => {
  expect((await rowsOf('a.tsv', 'a\tb\n1,5\t2\n')).map(plain)).toEqual([[2, { a: '1,5', b: '2' }]]);
});

test('NDJSON is read line by line, an inner object as inner.field', async () => {
  const lines = ['{"a":1,"context":{"age":31}}', '', '[1]', '{"a":', '{"a":[1,"x"],"__proto__":"p","b":null}'];
  expect((await rowsOf('a.ndjson', lines.join('\r\n'))).map(plain)).toEqual([
    [1, { a: 1, 'context.age': 31 }],
    [3, 'the line is no JSON object'],
    [4, expect.stringContaining('the line is no JSON: ')],
    [
      5,
      Object.fromEntries([
        ['a', [1, 'x']],
        ['__proto__', 'p'],
        ['b', null],
      ]),
    ],
  ]);
});

test('lines that begin in one piece of a file and end in another are whole', async () => {
  const texts = Array.from({ length: 5_000 }, (_, i) => `${i}`.padEnd(40, 'é'));
  const rows = await rowsOf('long.jsonl', texts.map((text) => `${JSON.stringify({ text })}\n`).join(''));
  expect(rows.map(({ cells }) => (cells as ReadonlyMap<string, unknown>).get('text'))).toEqual(texts);
});

test('Parquet is read row group by row group, times and 64-bit numbers as they are', async () => {
  const path = join(folder, 'a.parquet');
  const at = new Date(Date.UTC(2026, 0, 1));
  parquetWriteFile({
    filename: path,
    rowGroupSize: 2,
    columnData: [
      { name: 'unit', data: ['a', 'b', 'c'], type: 'STRING' },
      { name: 'id', data: [1n, 2n, 2n ** 60n], type: 'INT64' },
      { name: 'time', data: [at, at, at], type: 'TIMESTAMP' },
      { name: 'value', data: [0.5, 1, null], type: 'DOUBLE', nullable: true },
    ],
  });
  expect((await rowsOf('a.parquet')).map(plain)).toEqual([
    [1, { unit: 'a', id: 1n, time: at, value: 0.5 }],
    [2, { unit: 'b', id: 2n, time: at, value: 1 }],
    [3, { unit: 'c', id: 2n ** 60n, time: at, value: null }],
  ]);
});

test('how much of a file is read goes up to the whole of it', async () => {
  for (const name of ['a.csv', 'a.ndjson', 'a.parquet']) {
    const { bytes } = await openRows(join(folder, name));
    const done = (await rowsOf(name)).map(({ bytesDone }) => bytesDone);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(done.at(-1)).toBeLessThanOrEqual(bytes);
    expect(done.at(-1)).toBeGreaterThan(bytes / 2);
  }
});

test.each([
  ['none.csv', undefined, 'none.csv: cannot be read: ENOENT'],
  ['a.xlsx', 'x', 'a.xlsx: allowed are files ending in .csv, .tsv, .ndjson, .jsonl or .parquet'],
  ['quote.csv', 'a,b\n1,2\n"3,4\n', 'quote.csv:'],
  ['twice.csv', 'a,a\n1,2\n', 'twice.csv: column "a" is there twice'],
  ['huge.ndjson', 'x'.repeat(1_100_000), 'huge.ndjson: a line has more than 1000000 characters'],
  ['huge.csv', `a,b\n${'x'.repeat(1_100_000)}`, 'huge.csv:'],
  ['not.parquet', 'PAR0 and more', 'not.parquet: '],
])('%s is refused by name and reason', async (name, content, problem) => {
  await expect(rowsOf(name, content)).rejects.toThrowError(
    expect.objectContaining({ code: 'file', message: expect.stringContaining(problem) }),
  );
});
