#!/usr/bin/env node
/** The simulator as a process: policies × environments × seeds on all cores, then a table, a JSON file and a report. */
import { open, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { CroupierError, Invalid } from '../core/errors.ts';
import { optionsFor } from '../platform/config.ts';
import { endWhenUnread } from '../platform/lifecycle.ts';
import { startProgress } from '../platform/progress.ts';
import { compare } from './comparison.ts';
import { SIMULATE_CONFIG, type SimulateValues } from './config.ts';
import { resultsJson } from './json.ts';
import { simulateAll } from './pool.ts';
import { reportHtml } from './report.ts';
import { runsOf, type Setting } from './setting.ts';
import { comparisonText } from './tables.ts';

const command = new Command('croupier simulate')
  .description('Shows how policies learn in simulated worlds, with the core that serves in production.')
  .helpOption('-h, --help', 'Show this help');
optionsFor(command, SIMULATE_CONFIG).action(async (flags: Record<string, unknown>) => {
  try {
    await run(SIMULATE_CONFIG.parse({ env: process.env, flags }));
  } catch (error) {
    if (!(error instanceof CroupierError)) throw error;
    process.stderr.write(`simulate: ${error.code}: ${error.message}\n`);
    process.exitCode = error.code === 'config' ? 2 : 1;
  }
});
endWhenUnread(process.stdout);
await command.parseAsync();

async function run(values: SimulateValues): Promise<void> {
  const setting = settingOf(values);
  const runs = runsOf(setting);
  for (const path of [values.json, values.html]) if (path !== null) await requireWritable(path);
  const progress = startProgress({ label: 'simulating', total: runs.length, unit: 'runs', to: process.stderr });
  const summaries = await simulateAll(runs, (done) => progress.update(done)).finally(() => progress.stop());
  const comparisons = compare(setting, summaries);
  process.stdout.write(`${comparisons.map(comparisonText).join('\n\n')}\n`);
  if (values.json !== null) await writeFile(values.json, resultsJson(comparisons, setting));
  if (values.html !== null) await writeFile(values.html, reportHtml(comparisons, setting));
}

function settingOf(values: SimulateValues): Setting {
  return {
    environments: values.env,
    policies: values.policies,
    seeds: Array.from({ length: values.seeds }, (_, at) => values.firstSeed + at),
    users: values.users,
    delay: values.delay,
    neverShare: values.never,
    snapshotEvery: values.snapshotEvery,
    pendingExposure: values.pendingExposure === 'yes',
  };
}

/** Before hours of simulating, not after. @throws Invalid naming the file. */
async function requireWritable(path: string): Promise<void> {
  try {
    await (await open(path, 'a')).close();
  } catch (error) {
    throw new Invalid('config', `${path} cannot be written to: ${(error as Error).message}`, { cause: error });
  }
}
