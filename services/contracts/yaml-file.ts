/**
 * YAML documents as plain values, and problems with them told by file, line and column.
 * Not here: what the documents mean.
 */
import { type Document, isMap, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import { Invalid } from '../core/errors.ts';

export type Path = readonly (string | number)[];

export interface Problem {
  readonly path: Path;
  /** What is wrong and what is allowed, after the path and the value. */
  readonly allowed: string;
  /** Whether the key is meant, rather than its value. */
  readonly atKey?: boolean;
}

export interface YamlDocument {
  /** Mappings are plain objects; none has a key `__proto__`. */
  readonly value: unknown;
  describe(problem: Problem): string;
}

const CHARACTERS_MAX = 4_000_000;
const PROBLEMS_MAX = 100;

/** @throws Invalid `yaml` listing every error of syntax, each as file:line:column: what. */
export function parseYaml(file: string, text: string): readonly YamlDocument[] {
  if (text.length > CHARACTERS_MAX)
    throw new Invalid('yaml', `${file}: ${text.length} characters, allowed ${CHARACTERS_MAX}`);
  const lines = new LineCounter();
  const documents = parseDocuments(text, lines);
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const errors = documents.flatMap((document) => [
    ...document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`),
    ...keyErrors(document).map(({ offset, message }) => `${at(offset)}: ${message}`),
  ]);
  if (errors.length > 0) throw new Invalid('yaml', listing(errors));
  return documents
    .filter((document) => document.contents !== null)
    .map((document) => {
      const value = plain(file, document);
      return { value, describe: (problem) => describe(problem, value, at(offsetOf(document, problem))) };
    });
}

/** One problem a line, the first hundred. */
export function listing(problems: readonly string[]): string {
  const shown = problems.slice(0, PROBLEMS_MAX);
  return [...shown, ...(problems.length > PROBLEMS_MAX ? [`... and ${problems.length - PROBLEMS_MAX} more`] : [])].join(
    '\n',
  );
}

function parseDocuments(text: string, lineCounter: LineCounter): readonly Document.Parsed[] {
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false });
  return Array.isArray(documents) ? documents : [];
}

function plain(file: string, document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new Invalid('yaml', `${file}: ${(cause as Error).message}`, { cause });
  }
}

function keyErrors(document: Document.Parsed): { offset: number; message: string }[] {
  const errors: { offset: number; message: string }[] = [];
  visit(document, {
    Pair(_, { key }) {
      const name = isScalar(key) ? key.value : undefined;
      if (typeof name === 'string' && name !== '__proto__') return;
      const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
      errors.push({ offset, message: `key ${JSON.stringify(name)}, allowed is text other than __proto__` });
    },
  });
  return errors;
}

function describe({ path, allowed, atKey }: Problem, value: unknown, position: string): string {
  const where = path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
  const found = atKey ? '' : `: ${show(path.reduce(child, value))}`;
  return `${position}: ${where || 'document'}${found}, ${allowed}`;
}

function child(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
  return (value as Record<string | number, unknown>)[step];
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The node at the path, or the nearest one around it that is there. */
function offsetOf(document: Document.Parsed, { path, atKey }: Problem): number {
  if (atKey) {
    const map = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    const pair = isMap(map) ? map.items.find(({ key }) => isScalar(key) && key.value === path.at(-1)) : undefined;
    if (isScalar(pair?.key)) return pair.key.range?.[0] ?? 0;
  }
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    if (hasRange(node)) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function hasRange(node: unknown): node is { readonly range: readonly [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}
