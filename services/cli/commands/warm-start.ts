/** `croupier experiments warm-start`: what is known of arms elsewhere becomes part of a definition. */
import { type CsvError, parse } from 'csv-parse/sync';
import { Invalid } from '../../core/errors.ts';
import type { ExperimentId } from '../../core/events.ts';
import type { ArmPrior, Experiment } from '../../core/experiment.ts';
import { warmStarted } from '../../core/experiment-change.ts';
import { MergedSums } from '../../core/learning/merge.ts';
import { type ArmCounts, priorFromCounts, priorFromExperiment, sameContexts } from '../../core/learning/prior.ts';
import { buildParameters } from '../../core/learning/snapshot.ts';
import { unknownExperiment } from '../../platform/experiment-store.ts';
import { renderTable } from '../../platform/table.ts';
import { findSums } from '../find.ts';
import type { Answer, CliPorts, Installation } from '../ports.ts';
import { changeText, openStore, readText } from './experiments.ts';

export interface WarmStartOptions {
  readonly id: string;
  /** Of these three exactly one. */
  readonly csv: string | null;
  readonly from: string | null;
  readonly clear: boolean;
  readonly discount: number;
  readonly countsOnly: boolean;
  readonly dryRun: boolean;
}

type PriorFor = (standing: Experiment) => readonly ArmPrior[];

/** @throws Invalid `config`, `experiment-unknown`, `prior`, `csv`; Unavailable. */
export async function warmStart(
  installation: Installation,
  ports: Pick<CliPorts, 'readFile' | 'stderr'>,
  options: WarmStartOptions,
): Promise<Answer> {
  const store = await openStore(installation, ports.stderr);
  const { newest } = await store.read();
  const priorFor = await sourceOf(installation, ports, options, newest);
  const id = options.id as ExperimentId;
  const standing = newest.get(id);
  if (standing === undefined) throw unknownExperiment(id, [...newest.keys()]);
  const prior = checked(standing, priorFor);
  if (options.dryRun) {
    return { data: { id, prior, written: false }, text: `${priorTable(standing, prior)}\nnothing written: a dry run` };
  }
  const applied = await store.warmStart(id, (now) => checked(now, priorFor));
  const { after, changed } = applied;
  const data = { id, version: after.version, changed, prior: after.prior, written: changed };
  return { data, text: `${priorTable(after, after.prior)}\n${changeText(applied)}` };
}

/** What policies have against the prior shows before it is written. */
function checked(standing: Experiment, priorFor: PriorFor): readonly ArmPrior[] {
  const prior = priorFor(standing);
  const next = warmStarted(standing, prior);
  if (next !== null) buildParameters(next, new MergedSums());
  return prior;
}

async function sourceOf(
  installation: Installation,
  ports: Pick<CliPorts, 'readFile'>,
  { csv, from, clear, discount, countsOnly }: WarmStartOptions,
  known: ReadonlyMap<ExperimentId, Experiment>,
): Promise<PriorFor> {
  if (Number(csv !== null) + Number(from !== null) + Number(clear) !== 1) {
    throw new Invalid('config', 'give either --csv FILE, --from EXPERIMENT or --clear');
  }
  if (clear) return () => [];
  if (csv !== null) {
    const counts = readCounts(csv, await readText(csv, ports.readFile));
    return (standing) => priorFromCounts(standing, counts, discount);
  }
  const source = known.get(from as ExperimentId);
  if (source === undefined) throw unknownExperiment(from!, [...known.keys()]);
  const sums = await findSums(installation, await installation.codecs(), source.id);
  return (standing) => {
    const withContexts = !countsOnly && sameContexts(standing, source);
    return priorFromExperiment(standing, { experiment: source, sums }, { discount, withContexts });
  };
}

const NEEDED = ['arm', 'n', 'sum_reward'] as const;
const PERHAPS = 'sum_reward_squared';

/** @throws Invalid `csv` naming file, line, column and what is allowed. */
export function readCounts(file: string, text: string): readonly ArmCounts[] {
  const rows = readRows(file, text);
  return rows.map(({ record, info: { lines } }) => {
    const at = `${file}:${lines}`;
    const number = (column: string): number => {
      const cell = record[column]!.trim();
      if (cell !== '' && Number.isFinite(Number(cell))) return Number(cell);
      throw new Invalid('csv', `${at}: ${column} is ${JSON.stringify(cell)}, allowed is a number such as 1200 or 0.5`);
    };
    const squared = record[PERHAPS];
    return {
      armId: record.arm!,
      n: number('n'),
      sumReward: number('sum_reward'),
      sumRewardSquared: squared === undefined || squared.trim() === '' ? null : number(PERHAPS),
    };
  });
}

interface Row {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

function readRows(file: string, text: string): readonly Row[] {
  let rows: readonly Row[];
  try {
    rows = parse(text, {
      columns: (head: string[]) => checkedHead(file, head),
      bom: true,
      info: true,
      skip_empty_lines: true,
    });
  } catch (cause) {
    if (cause instanceof Invalid) throw cause;
    const { lines, message } = cause as CsvError;
    throw new Invalid('csv', `${file}:${String(lines)}: ${message}`, { cause });
  }
  if (rows.length > 0) return rows;
  throw new Invalid('csv', `${file}: no arm in it, allowed is a line ${NEEDED.join(',')} and then one line an arm`);
}

function checkedHead(file: string, head: readonly string[]): string[] {
  const names = head.map((name) => name.trim());
  const strange = names.find((name) => name !== PERHAPS && !NEEDED.some((needed) => needed === name));
  const missing = NEEDED.find((needed) => !names.includes(needed));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (strange === undefined && missing === undefined && twice === undefined) return names;
  const problem =
    missing !== undefined
      ? `column ${missing} is missing`
      : `column ${strange ?? twice} is ${strange ? 'unknown' : 'there twice'}`;
  throw new Invalid('csv', `${file}:1: ${problem}, allowed are ${NEEDED.join(', ')} and perhaps ${PERHAPS}`);
}

function priorTable({ arms }: Experiment, prior: readonly ArmPrior[]): string {
  const byArm = new Map(prior.map((one) => [one.armId, one]));
  const rows = arms.map(({ id }) => {
    const { n, sumR, contextSums } = byArm.get(id) ?? { n: 0, sumR: 0, contextSums: [] };
    const mean = n === 0 ? '-' : (sumR / n).toPrecision(6);
    return [id, Number(n.toPrecision(6)), mean, contextSums.length > 0 ? 'known' : '-'];
  });
  return renderTable(['arm', 'observations', 'mean (0 to 1)', 'contexts'], rows);
}
