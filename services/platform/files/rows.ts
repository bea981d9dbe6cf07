/**
 * Rows of a CSV, TSV, NDJSON or Parquet file, one after the other, whatever its size: of text a few lines are held, of
 * Parquet one row group. A row that cannot be read is given as its refusal; what cannot be read on from there is thrown.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { parse } from 'csv-parse';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Cell, Cells } from '../../contracts/history/cells.ts';
import { Invalid } from '../../core/errors.ts';

export interface Row {
  /** Line of the file on which it ends; in Parquet the number of the row. From 1. */
  readonly line: number;
  /** How much of the file has been read, for showing how far it is. */
  readonly bytesDone: number;
  readonly cells: Cells | Invalid;
}

export interface RowFile {
  readonly bytes: number;
  /** From the start; as often as wanted. @throws Invalid `file` naming file and line. */
  rows(): AsyncIterable<Row>;
}

export type OpenRows = (path: string) => Promise<RowFile>;

/** Of NDJSON and CSV: a row is small, and a file without line ends is no such file. */
const ROW_CHARS_MAX = 1_000_000;

/** @throws Invalid `file`. */
export async function openRows(path: string): Promise<RowFile> {
  const bytes = await sizeOf(path);
  const read = readerOf(path);
  return { bytes, rows: () => named(path, read(path, bytes)) };
}

type ReadRows = (path: string, bytes: number) => AsyncIterable<Row>;

function readerOf(path: string): ReadRows {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  switch (ending) {
    case 'csv':
      return (file) => csvRows(file, ',');
    case 'tsv':
      return (file) => csvRows(file, '\t');
    case 'ndjson':
    case 'jsonl':
      return ndjsonRows;
    case 'parquet':
      return parquetRows;
    default:
      throw new Invalid('file', `${path}: allowed are files ending in .csv, .tsv, .ndjson, .jsonl or .parquet`);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw new Invalid('file', `${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

async function* named(path: string, rows: AsyncIterable<Row>): AsyncGenerator<Row> {
  try {
    for await (const row of rows) yield row;
  } catch (cause) {
    const { message, lines } = cause as Error & { readonly lines?: number };
    throw new Invalid('file', `${path}${lines === undefined ? '' : `:${lines}`}: ${message}`, { cause });
  }
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number; readonly bytes: number };
}

async function* csvRows(path: string, delimiter: string): AsyncGenerator<Row> {
  // Cells too few or too many spoil a row, not the file.
  const parser = parse({
    delimiter,
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: ROW_CHARS_MAX,
  });
  const records: AsyncIterable<CsvRecord> = parser;
  // The iteration throws what the parser is destroyed with.
  pipeline(createReadStream(path), parser, () => {});
  let head: readonly string[] | null = null;
  for await (const { record, info } of records) {
    if (head === null) head = distinct(record.map((name) => name.trim()));
    else yield { line: info.lines, bytesDone: info.bytes, cells: csvCells(head, record) };
  }
}

function distinct(names: readonly string[]): readonly string[] {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return names;
  throw new Error(`column ${JSON.stringify(twice)} is there twice`);
}

function csvCells(head: readonly string[], record: readonly string[]): Cells | Invalid {
  if (record.length === head.length) return new Map(head.map((name, at) => [name, record[at]!]));
  return new Invalid('unreadable-row', `${record.length} cells, allowed are ${head.length} as in the first line`);
}

async function* ndjsonRows(path: string): AsyncGenerator<Row> {
  let line = 0;
  for await (const { text, bytesDone } of linesOf(path)) {
    line += 1;
    if (text.trim() !== '') yield { line, bytesDone, cells: jsonCells(text) };
  }
}

async function* linesOf(path: string): AsyncGenerator<{ readonly text: string; readonly bytesDone: number }> {
  const stream = createReadStream(path, { encoding: 'utf8' });
  let rest = '';
  let isFirst = true;
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + (isFirst ? chunk.replace(/^\ufeff/, '') : chunk)).split('\n');
    isFirst = false;
    rest = lines.pop()!;
    if (rest.length > ROW_CHARS_MAX) throw new Error(`a line has more than ${ROW_CHARS_MAX} characters`);
    for (const text of lines) yield { text, bytesDone: stream.bytesRead };
  }
  if (rest !== '') yield { text: rest, bytesDone: stream.bytesRead };
}

function jsonCells(text: string): Cells | Invalid {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return cellsOf(value);
    return new Invalid('unreadable-row', 'the line is no JSON object');
  } catch (cause) {
    return new Invalid('unreadable-row', `the line is no JSON: ${(cause as Error).message}`, { cause });
  }
}

async function* parquetRows(path: string, bytes: number): AsyncGenerator<Row> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const total = Number(metadata.num_rows);
  let line = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = line + Number(num_rows);
    const objects = await parquetReadObjects({ file, metadata, compressors, rowStart: line, rowEnd });
    for (const object of objects) {
      line += 1;
      yield { line, bytesDone: Math.round((bytes * line) / total), cells: cellsOf(object) };
    }
  }
}

/** What JSON and Parquet have beyond cells (objects in lists, raw bytes) is left out: no field is made of it. */
function cellsOf(object: object): Cells {
  const cells = new Map<string, Cell>();
  addCells(cells, '', object);
  return cells;
}

function addCells(cells: Map<string, Cell>, before: string, object: object): void {
  for (const [name, value] of Object.entries(object) as [string, unknown][]) {
    if (isCell(value)) cells.set(before + name, value);
    else if (before === '' && isPlain(value)) addCells(cells, `${name}.`, value);
  }
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function isCell(value: unknown): value is Cell {
  if (value === null || value instanceof Date) return true;
  if (Array.isArray(value)) return value.every(isCell);
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
}
