/** `croupier experiments apply | list | delete`: definitions from files to the log and back. */
import { formatDuration } from '../../contracts/duration.ts';
import { parseExperimentFile } from '../../contracts/experiment-file.ts';
import { Invalid } from '../../core/errors.ts';
import type { ExperimentId } from '../../core/events.ts';
import { armOf, type Experiment } from '../../core/experiment.ts';
import { MergedSums } from '../../core/learning/merge.ts';
import { buildParameters } from '../../core/learning/snapshot.ts';
import { allPolicies } from '../../core/policies/registry.ts';
import { type Applied, ExperimentStore } from '../../platform/experiment-store.ts';
import { renderTable } from '../../platform/table.ts';
import type { Answer, CliPorts, Installation, TextSink } from '../ports.ts';

/** Checks all files before it writes the first definition. @throws Invalid naming file, line and column; Unavailable. */
export async function experimentsApply(
  installation: Installation,
  ports: Pick<CliPorts, 'readFile' | 'stderr'>,
  files: readonly string[],
): Promise<Answer> {
  const wanted = await readFiles(files, ports);
  const store = await openStore(installation, ports.stderr);
  const applied: Applied[] = [];
  for (const experiment of wanted) applied.push(await store.apply(experiment));
  return {
    data: { experiments: applied.map(({ after, changed }) => ({ id: after.id, version: after.version, changed })) },
    text: applied.map(changeText).join('\n'),
  };
}

/** @throws Unavailable. */
export async function experimentsList(installation: Installation, stderr: TextSink): Promise<Answer> {
  const { newest } = await (await openStore(installation, stderr)).read();
  const experiments = [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (experiments.length === 0) {
    return { data: { experiments }, text: 'no experiments; `croupier experiments apply FILE` makes one' };
  }
  const head = ['experiment', 'version', 'state', 'policies', 'arms', 'learns from', 'window', 'prior', 'applied'];
  return { data: { experiments }, text: renderTable(head, experiments.map(listRow)) };
}

/** @throws Invalid `experiment-unknown`, `not-confirmed`; Unavailable. */
export async function experimentsDelete(
  installation: Installation,
  stderr: TextSink,
  { id, confirmed }: { readonly id: string; readonly confirmed: boolean },
): Promise<Answer> {
  if (!confirmed) {
    throw new Invalid('not-confirmed', `experiment ${id} would no longer be decided; add --yes if you mean it`);
  }
  const { after, changed } = await (await openStore(installation, stderr)).delete(id as ExperimentId);
  const { version } = after;
  const text = changed
    ? `${id}: deleted with version ${version}`
    : `${id}: was deleted before, with version ${version}`;
  return { data: { id, version, changed }, text };
}

export async function openStore({ log, topics, codecs }: Installation, stderr: TextSink): Promise<ExperimentStore> {
  return new ExperimentStore({
    log,
    topic: topics.experiments,
    codec: (await codecs()).experiment,
    onRefused: (error, { key }) => {
      stderr.write(`a definition of ${key} cannot be read and is passed over (${error.code}: ${error.message})\n`);
    },
  });
}

async function readFiles(
  files: readonly string[],
  { readFile }: Pick<CliPorts, 'readFile'>,
): Promise<readonly Experiment[]> {
  const fileById = new Map<ExperimentId, string>();
  const problems: string[] = [];
  const experiments: Experiment[] = [];
  for (const file of files) {
    for (const experiment of parseExperimentFile(file, await readText(file, readFile), allPolicies())) {
      const earlier = fileById.get(experiment.id);
      if (earlier !== undefined) problems.push(`${file}: experiment ${experiment.id} is also defined in ${earlier}`);
      problems.push(...policyProblems(file, experiment));
      fileById.set(experiment.id, file);
      experiments.push(experiment);
    }
  }
  if (problems.length > 0) throw new Invalid('experiment-file', problems.join('\n'));
  return experiments;
}

/** What policies have against the definition shows before anything is learned: with sums of nothing. */
function policyProblems(file: string, experiment: Experiment): string[] {
  try {
    buildParameters(experiment, new MergedSums());
    return [];
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return [`${file}: experiment ${experiment.id}: ${error.message}`];
  }
}

export async function readText(file: string, readFile: CliPorts['readFile']): Promise<string> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new Invalid('file', `${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

export function changeText({ before, after, changed }: Applied): string {
  const { id, version } = after;
  if (!changed) return `${id}: unchanged, version ${version}`;
  if (before === undefined) return `${id}: created, version ${version}`;
  return `${id}: changed to version ${version}${differences(before, after)
    .map((line) => `\n  ${line}`)
    .join('')}`;
}

function differences(before: Experiment, after: Experiment): string[] {
  const lines: string[] = [];
  const told = (what: string, from: string, to: string): void => {
    if (from !== to) lines.push(`${what}: ${from} → ${to}`);
  };
  told('state', before.state, after.state);
  told('policies', policiesText(before), policiesText(after));
  told('floor', String(before.floor), String(after.floor));
  told('fallback', before.fallbackArmId, after.fallbackArmId);
  told('slots', String(before.slots), String(after.slots));
  told('holdout', holdoutText(before), holdoutText(after));
  told('prior', priorText(before), priorText(after));
  for (const arm of after.arms) {
    const earlier = armOf(before, arm.id);
    if (earlier === undefined) lines.push(`arm ${arm.id}: new, ${arm.state}`);
    else {
      told(`arm ${arm.id}`, earlier.state, arm.state);
      told(`attributes of arm ${arm.id}`, numbersText(earlier.attributes), numbersText(arm.attributes));
    }
  }
  return lines;
}

function holdoutText({ holdout }: Experiment): string {
  return holdout === null ? 'none' : `${holdout.share} of the units, on ${holdout.armId}`;
}

function priorText({ prior }: Experiment): string {
  if (prior.length === 0) return 'none';
  const observations = prior.reduce((sum, { n }) => sum + n, 0);
  return `${Number(observations.toPrecision(6))} observations of ${prior.length} arms`;
}

function policiesText({ policies }: Experiment): string {
  return policies.map(({ kind, parameters }) => `${kind}${numbersText(parameters)}`).join(', ');
}

function numbersText(numbers: ReadonlyMap<string, number>): string {
  return `(${[...numbers].map(([name, value]) => `${name} ${value}`).join(', ')})`;
}

/** A value that is its only metric, as most are, by that alone. */
function rewardText({ metrics, value }: Experiment['reward']): string {
  const folds = [...metrics].map(([name, { fold }]) => `${fold} of ${name}`).join(', ');
  const alone = metrics.size === 1 && value.expression.kind === 'name';
  return alone ? folds : `${value.text} (${folds})`;
}

function listRow(experiment: Experiment): (string | number)[] {
  const { id, version, state, policies, arms, reward, attribution, appliedAtMs } = experiment;
  const active = arms.filter((arm) => arm.state === 'active').length;
  return [
    id,
    version,
    state,
    policies.map(({ kind }) => kind).join(', '),
    active === arms.length ? `${active}` : `${active} and ${arms.length - active} retired`,
    rewardText(reward),
    formatDuration(attribution.windowMs),
    priorText(experiment),
    new Date(appliedAtMs.at(-1)!).toISOString(),
  ];
}
