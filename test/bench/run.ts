/** `npm run bench -- NAME`: measures and compares with what the design promises. Nothing here is a test of correctness. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Bar, reportBars } from './bars.ts';
import { experimentBars } from './experiments.ts';
import { growthBars } from './growth.ts';
import { learnerBars, PARTS } from './learner.ts';
import { policyBars } from './policies.ts';
import { storeBars } from './stores.ts';

/** Perhaps with what the bars were made of. */
type Measured = readonly Bar[] | { readonly bars: readonly Bar[]; readonly runs: object };

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

addBench(
  'learner',
  'the whole learner on real Kafka beside a counting consumer and Kafka Streams, for minutes',
  learnerBars,
)
  .addOption(
    new Option('--only <parts...>', `parts to measure instead of all: ${PARTS.join(', ')}`)
      .choices(PARTS)
      .default([], 'all'),
  )
  .option('--runs <count>', 'rounds, of which medians are taken', whole, 3)
  .option('--live <decisions>', 'decisions that are timed; half of them get a reward', whole, 1_000_000)
  .option('--pending <decisions>', 'decisions pending before, for the parts pending and recovery', whole, 10_000_000)
  .option('--rate <events>', 'events a second, for freshness', whole, 5_000)
  .option('--seconds <count>', 'how long freshness is measured', whole, 60)
  .option(
    '--peer <folder>',
    'Kafka Streams to compare with; left out when it is not there',
    '../shared/peers/kstreams',
  );
addBench('stores', "the join's store beside LevelDB, LMDB and RocksDB, where they are installed", storeBars)
  .option(
    '--pending <millions...>',
    'decisions pending, four a unit',
    (text, all: readonly number[]) => [...all, whole(text)],
    [],
  )
  .option('--updates <units>', 'random units read, changed and written', whole, 250_000);

await program.parseAsync();

function addBench<Options>(
  name: string,
  description: string,
  measure: (options: Options) => Measured | Promise<Measured>,
): Command {
  return program
    .command(name)
    .description(description)
    .option('--json <file>', 'also write {"bars": [{name, value, unit, limit, bound, holds}]} to a file')
    .action(async ({ json, ...options }: Options & { json?: string }) => {
      const measured = await measure(options as Options);
      const { bars, ...figures } = 'bars' in measured ? measured : { bars: measured };
      await reportBars(bars, json, figures);
    });
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Allowed are whole numbers from 0.');
  return value;
}
