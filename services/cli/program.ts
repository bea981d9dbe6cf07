/**
 * The commands, their options and their help; what each does is in commands/. Owns exit codes: 0 well, 1 a check failed
 * or something was refused, 2 wrong use.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CroupierError } from '../core/errors.ts';
import { STREAMS } from '../core/events.ts';
import { optionsFor } from '../platform/config.ts';
import { joinLimits } from '../platform/join/limits-config.ts';
import { backfill } from './commands/backfill.ts';
import {
  type DecideOptions,
  type DeciderAddress,
  decide,
  type RewardOptions,
  reward,
  stats,
} from './commands/decider.ts';
import { doctor } from './commands/doctor.ts';
import { experimentsApply, experimentsDelete, experimentsList } from './commands/experiments.ts';
import { explainDecision, parseSince } from './commands/explain.ts';
import { topicsCreate } from './commands/topics.ts';
import { warmStart } from './commands/warm-start.ts';
import { CLI_CONFIG, type CliValues, LIMITS_CONFIG } from './config.ts';
import type { Answer, CliPorts, Installation } from './ports.ts';

const EXAMPLES = `
Examples:
  croupier topics create                                 once, before anything else
  croupier doctor                                        is all as it must be?
  croupier experiments apply coupon.yaml                 define an experiment, or change it
  croupier decide coupon --user 42 --context plan=free age=31
  croupier reward coupon --user 42 --value 12.5
  croupier stats coupon
  croupier explain 01980b5e-2d3c-7a10-9d0e-5f2c8a7b6c1d
  croupier backfill decisions history.csv --set experiment=coupon --dry-run
  croupier replay --help
  croupier repartition --partitions 12 --dry-run          another number of partitions
  croupier simulate --help

Exit codes: 0 well, 1 a check failed or something was refused, 2 wrong use.`;

const WELL = 0;
const FAILED = 1;
const WRONG_USE = 2;

interface GlobalFlags extends Readonly<Record<string, unknown>> {
  readonly json?: true;
  readonly verbose?: true;
}

/** @param args after the program's name. @returns the exit code. */
export async function runCli(args: readonly string[], ports: CliPorts): Promise<number> {
  const session = new Session(ports);
  const program = createProgram(session, args);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    return failure(error, ports, program.opts<GlobalFlags>().verbose === true);
  }
}

/** One run of one command. Owns its exit code. */
class Session {
  exitCode = WELL;
  readonly ports: CliPorts;

  constructor(ports: CliPorts) {
    this.ports = ports;
  }

  async withInstallation(command: Command, act: (installation: Installation) => Promise<Answer>): Promise<void> {
    const flags = command.optsWithGlobals<GlobalFlags>();
    const installation = this.ports.connect(this.values(flags), { verbose: flags.verbose === true });
    try {
      this.tell(flags, await act(installation));
    } finally {
      await installation.close();
    }
  }

  async withDecider(command: Command, act: (decider: DeciderAddress) => Promise<Answer>): Promise<void> {
    const flags = command.optsWithGlobals<GlobalFlags>();
    const { decider: url, deciderToken: token } = this.values(flags);
    this.tell(flags, await act({ url, token, fetch: this.ports.fetch }));
  }

  private values(flags: GlobalFlags): CliValues {
    return CLI_CONFIG.parse({ env: this.ports.environment, flags });
  }

  private tell({ json }: GlobalFlags, { data, text, failed }: Answer): void {
    this.ports.stdout.write(json ? `${JSON.stringify(data, plain, 2)}\n` : `${text}\n`);
    if (failed) this.exitCode = FAILED;
  }
}

function createProgram(session: Session, args: readonly string[]): Command {
  const { stdout, stderr, version } = session.ports;
  const program = new Command('croupier')
    .description('Defines experiments, asks the decider, and proves what the learner did.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this, or the help of a command')
    .helpCommand(false)
    .option('--json', 'print the answer as JSON')
    .option('--verbose', 'print what goes on inside, and stack traces')
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) });
  optionsFor(program, CLI_CONFIG);
  addTopics(program, session);
  addDoctor(program, session);
  addExperiments(program, session);
  addDecider(program, session);
  addExplain(program, session);
  addBackfill(program, session);
  addServices(program, session, args);
  return program;
}

function addTopics(program: Command, session: Session): void {
  program
    .command('topics')
    .description('the topics and their schemas')
    .command('create')
    .description('create what deploy/topics.yaml describes and register the schemas; harmless to repeat')
    .option('--partitions <count>', 'of decisions and rewards, instead of what the file says', count)
    .option('--replication <count>', "copies of each partition, instead of the cluster's default", count)
    .action(async (options: { partitions?: number; replication?: number }, command: Command) => {
      const { partitions, replication } = options;
      const overrides = {
        ...(partitions === undefined ? {} : { inputPartitions: partitions }),
        ...(replication === undefined ? {} : { replication }),
      };
      await session.withInstallation(command, (installation) => topicsCreate(installation, overrides));
    });
}

function addDoctor(program: Command, session: Session): void {
  const command = program
    .command('doctor')
    .description('look whether topics, schemas and clocks are as they must be, and say how to put right what is not');
  optionsFor(command, LIMITS_CONFIG).action(async (flags: Record<string, unknown>, command: Command) => {
    const limits = joinLimits(LIMITS_CONFIG.parse({ env: session.ports.environment, flags }));
    await session.withInstallation(command, (installation) => doctor(installation, session.ports, limits));
  });
}

function addExperiments(program: Command, session: Session): void {
  const { ports } = session;
  const experiments = program.command('experiments').description('definitions of experiments');
  experiments
    .command('apply')
    .description('make definitions what the files say; an arm that is left out is retired, its sums are kept')
    .argument('<files...>', 'YAML, one experiment a document')
    .action(async (files: string[], _options: object, command: Command) => {
      await session.withInstallation(command, (installation) => experimentsApply(installation, ports, files));
    });
  experiments
    .command('list')
    .description('all definitions as they stand')
    .action(async (_options: object, command: Command) => {
      await session.withInstallation(command, (installation) => experimentsList(installation, ports.stderr));
    });
  addWarmStart(experiments, session);
  experiments
    .command('delete')
    .description('stop an experiment; its events and sums stay, and applying its file brings it back')
    .argument('<id>', 'of the experiment')
    .option('--yes', 'really do it')
    .action(async (id: string, { yes }: { yes?: true }, command: Command) => {
      await session.withInstallation(command, (installation) =>
        experimentsDelete(installation, ports.stderr, { id, confirmed: yes === true }),
      );
    });
}

interface WarmStartFlags {
  readonly csv?: string;
  readonly from?: string;
  readonly clear?: true;
  readonly discount: number;
  readonly countsOnly?: true;
  readonly dryRun?: true;
}

function addWarmStart(experiments: Command, session: Session): void {
  experiments
    .command('warm-start')
    .description('let arms start from what is known of them elsewhere; takes the place of an earlier warm start')
    .argument('<id>', 'of the experiment')
    .option(
      '--csv <file>',
      'with the columns arm, n, sum_reward and perhaps sum_reward_squared, as reported, before costs',
    )
    .option('--from <experiment>', 'take what that one has learned of arms with the same ids')
    .option('--clear', 'start from nothing again')
    .option('--discount <share>', 'what an observation from elsewhere is worth, above 0, at most 1', decimal, 1)
    .option('--counts-only', 'with --from: leave out what was learned of contexts')
    .option('--dry-run', 'print what would be written')
    .action(async (id: string, flags: WarmStartFlags, command: Command) => {
      const { csv = null, from = null, discount } = flags;
      const options = {
        ...{ id, csv, from, discount },
        clear: flags.clear === true,
        countsOnly: flags.countsOnly === true,
        dryRun: flags.dryRun === true,
      };
      await session.withInstallation(command, (installation) => warmStart(installation, session.ports, options));
    });
}

function addDecider(program: Command, session: Session): void {
  program
    .command('decide')
    .description('ask the decider for an arm')
    .argument('<experiment>', 'its id')
    .requiredOption('--user <id>', 'whom the arm is for')
    .option('--context <name=value...>', 'facts about the request; true, false, numbers, "text in quotes" or bare text')
    .option('--algorithm <kind>', 'a policy of the experiment other than its first')
    .option('--slots <count>', 'how many different arms to deal, up to the slots of the experiment', decimal)
    .action(async (experiment: string, options: DecideOptions, command: Command) => {
      await session.withDecider(command, (decider) => decide(decider, experiment, options));
    });
  program
    .command('reward')
    .description('report a reward; without --decision the attribution of the experiment says whose it is')
    .argument('<experiment>', 'its id')
    .requiredOption('--user <id>', 'who brought it')
    .requiredOption('--value <number>', 'in the units of the experiment', decimal)
    .option('--decision <id>', 'the decision that it belongs to')
    .option(
      '--arm <index>',
      'the arm that it is for, by index or id; matters where decisions have several slots, else it is only checked',
    )
    .action(async (experiment: string, options: RewardOptions, command: Command) => {
      await session.withDecider(command, (decider) => reward(decider, experiment, options));
    });
  program
    .command('stats')
    .description('what the decider knows of the arms')
    .argument('[experiment]', 'its id; all experiments without it')
    .option('--algorithm <kind>', 'a policy of the experiment other than its first')
    .action(async (experiment: string | undefined, { algorithm }: { algorithm?: string }, command: Command) => {
      const asked = {
        ...(experiment === undefined ? {} : { experiment }),
        ...(algorithm === undefined ? {} : { algorithm }),
      };
      await session.withDecider(command, (decider) => stats(decider, asked));
    });
}

function addExplain(program: Command, session: Session): void {
  program
    .command('explain')
    .description(
      'show how a decision came about: snapshot, statistics, context, probabilities, draw; exits 1 if it differs',
    )
    .argument('<decision>', 'its id')
    .option('--since <time>', 'look for it from this time on by the log, not about the time in its id')
    .option('--eligible <ids>', 'the arms that the request allowed, separated by commas; all active ones without it')
    .action(
      async (decisionId: string, { since, eligible }: { since?: string; eligible?: string }, command: Command) => {
        const options = {
          decisionId,
          sinceMs: since === undefined ? null : parseSince(since),
          eligibleArmIds: eligible === undefined ? null : eligible.split(','),
        };
        await session.withInstallation(command, (installation) =>
          explainDecision(installation, session.ports.stderr, options),
        );
      },
    );
}

interface BackfillFlags extends Readonly<Record<string, unknown>> {
  readonly map?: readonly string[];
  readonly set?: readonly string[];
  readonly sort?: true;
  readonly skipRefused?: true;
  readonly dryRun?: true;
  readonly position?: string;
}

function addBackfill(program: Command, session: Session): void {
  const parent = program.command('backfill').description('past events from files into the topics; decisions first');
  for (const stream of STREAMS) {
    const command = parent
      .command(stream)
      .description(
        stream === 'decisions'
          ? 'time, unit, arm, propensity and experiment of each, in order of time; perhaps id, policy, reason, context.NAME'
          : 'time, unit, value and metric or experiment of each; perhaps decision, arm, id, revision',
      )
      .argument('<files...>', '.csv, .tsv, .ndjson, .jsonl or .parquet, as if they were one')
      .option('--map <field=column>', 'where a field is, when its column has no usual name; may be repeated', also)
      .option('--set <field=value>', 'the same for all rows, such as experiment=coupon; may be repeated', also);
    if (stream === 'decisions') command.option('--sort', 'put rows in order of time, in memory');
    command
      .option('--skip-refused', 'append the others when rows are refused')
      .option('--dry-run', 'check and tell, append nothing')
      .option('--position <file>', 'keep there how far it has come; the same command again goes on from there');
    optionsFor(command, LIMITS_CONFIG).action(async (files: string[], flags: BackfillFlags, command: Command) => {
      const { map = [], set = [], position = null } = flags;
      const options = {
        ...{ stream, files, position, columns: { map, set } },
        limits: joinLimits(LIMITS_CONFIG.parse({ env: session.ports.environment, flags })),
        sort: flags.sort === true,
        skipRefused: flags.skipRefused === true,
        dryRun: flags.dryRun === true,
      };
      await session.withInstallation(command, (installation) => backfill(installation, session.ports, options));
    });
  }
}

/** Services of their own, with their own options; here they only have their places among the commands. */
function addServices(program: Command, session: Session, args: readonly string[]): void {
  const { replay, repartition, simulate } = session.ports;
  const services = [
    ['replay', replay, 'learn again from the log and compare digests with the live snapshots'],
    ['repartition', repartition, 'give decisions and rewards another number of partitions'],
  ] as const;
  for (const [name, run, description] of services) {
    addService(program, name, `${description}; \`${name} --help\` tells its options`, async (command) => {
      session.exitCode = await run([...givenFlags(program), ...command.args]);
    });
  }
  addService(
    program,
    'simulate',
    'show how policies learn in simulated worlds, without Kafka; `simulate --help` tells its options',
    // As they stand on the line: its --json takes a file, ours takes nothing.
    async (command) => {
      session.exitCode = await simulate(args.slice(args.indexOf(command.name()) + 1));
    },
  );
}

function addService(
  program: Command,
  name: string,
  description: string,
  run: (command: Command) => Promise<void>,
): void {
  program
    .command(name)
    .description(description)
    .argument('[options...]', `as \`${name} --help\` tells them`)
    .helpOption(false)
    .allowUnknownOption()
    .action((_args: string[], _options: object, command: Command) => run(command));
}

/** Options of ours that stood somewhere on the line, as they were. */
function givenFlags(program: Command): string[] {
  return program.options.flatMap((option) => {
    const name = option.attributeName();
    const value: unknown = program.getOptionValue(name);
    if (program.getOptionValueSource(name) !== 'cli') return [];
    return option.isBoolean() ? [option.long!] : [option.long!, String(value)];
  });
}

function failure(error: unknown, { stderr }: CliPorts, verbose: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? WELL : WRONG_USE;
  const known = error instanceof CroupierError;
  const { message, stack } = error as Error;
  stderr.write(known ? `${error.code}: ${message}\n` : `unexpected: ${message}\n`);
  if (verbose) stderr.write(`${stack}\n`);
  return known && error.code === 'config' ? WRONG_USE : FAILED;
}

function count(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 10_000) return value;
  throw new InvalidArgumentError('Allowed is a whole number from 1 to 10000.');
}

/** One more of an option that may be repeated. */
function also(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Allowed is a finite number.');
}

/** What JSON lacks. */
function plain(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
