/** `npm run bench -- NAME`: measures and compares with what the design promises. Nothing here is a test of correctness. */
import { Command } from 'commander';
import { type Bar, reportBars } from './bars.ts';
import { policyBars } from './policies.ts';

const program = new Command('npm run bench --').description('Measures speed, side by side with a plain reference.');

addBench('policies', 'sums, snapshots and decisions of the core, on one thread', policyBars);

await program.parseAsync();

function addBench(name: string, description: string, measure: () => readonly Bar[]): void {
  program
    .command(name)
    .description(description)
    .option('--json <file>', 'also write {"bars": [{name, value, unit, limit, bound, holds}]} to a file')
    .action(async ({ json }: { json?: string }) => reportBars(measure(), json));
}
