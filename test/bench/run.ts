/** `npm run bench -- NAME`: measures and compares with what the design promises. Nothing here is a test of correctness. */
import { Command } from 'commander';
import { type Bar, reportBars } from './bars.ts';
import { experimentBars } from './experiments.ts';
import { growthBars } from './growth.ts';
import { policyBars } from './policies.ts';

const program = new Command('npm run bench --').description(
  'Measures what is claimed: speed beside a plain reference, earnings in simulated worlds.',
);

addBench('policies', 'sums, snapshots and decisions of the core, on one thread', policyBars);
addBench('experiments', 'what 2,000 experiments in one learner cost, 10 of them active', experimentBars);
addBench(
  'growth',
  'what policies earn in the growth case, 20 seeds of 5,000 users, on all cores for minutes',
  growthBars,
);

await program.parseAsync();

function addBench(name: string, description: string, measure: () => readonly Bar[] | Promise<readonly Bar[]>): void {
  program
    .command(name)
    .description(description)
    .option('--json <file>', 'also write {"bars": [{name, value, unit, limit, bound, holds}]} to a file')
    .action(async ({ json }: { json?: string }) => reportBars(await measure(), json));
}
