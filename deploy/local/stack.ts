/** Purpose: the command `npm run stack -- up | status | down`. Owns nothing; ensure.ts does the work. */
import { Command, Option } from 'commander';
import { CroupierError } from '../../services/core/errors.ts';
import { CHECKOUT, ensureStack, MODES, type Mode, type ServiceStatus, stackStatus, stopStack } from './ensure.ts';
import { buildTarget } from './maven.ts';
import { kafkaBuild, registryBuild } from './programs.ts';
import { standardErrorReporter } from './reporter.ts';

const reporter = standardErrorReporter('stack');
const print = (text: string) => void process.stdout.write(`${text}\n`);

const program = new Command('stack')
  .description("Kafka, a schema registry and Redis on this machine's loopback, for trying Croupier and for its tests.")
  .addHelpText(
    'after',
    `
Environment:
  KAFKA_BROKERS, SCHEMA_REGISTRY_URL, REDIS_URL
      addresses of your own: these are used and checked, never started or stopped
  CROUPIER_STACK_KAFKA_PORT, CROUPIER_STACK_REGISTRY_PORT, CROUPIER_STACK_REDIS_PORT
      loopback ports of what is started (19092, 18081, 16379)
  CROUPIER_STACK_MODE
      default of --mode`,
  );

program
  .command('up')
  .description('start what is not there and wait until all answer; harmless to repeat')
  .addOption(new Option('--mode <mode>', 'auto: Docker where a daemon answers, else local processes').choices(MODES))
  .addOption(new Option('--json', 'print addresses as JSON').conflicts('env'))
  .option('--env', 'print addresses as shell commands: eval "$(npm run --silent stack -- up --env)"')
  .action(async (options: { mode?: Mode; json?: true; env?: true }) => {
    const stack = await ensureStack({ reporter, ...(options.mode === undefined ? {} : { mode: options.mode }) });
    const variables = Object.entries(stack.variables);
    if (options.json) print(JSON.stringify({ addresses: stack.addresses, started: stack.started }));
    else print(variables.map(([name, value]) => `${options.env ? 'export ' : ''}${name}='${value}'`).join('\n'));
  });

program
  .command('fetch')
  .description('fetch ahead of time what local processes of Kafka and the registry need; prints where it is kept')
  .action(async () => {
    for (const build of [kafkaBuild(CHECKOUT), registryBuild(CHECKOUT)]) {
      print(`${build.name}=${await buildTarget(build, reporter)}`);
    }
  });

program
  .command('status')
  .description('say where each service is and whether it answers; exits 1 if one does not')
  .option('--json', 'print it as JSON')
  .action(async (options: { json?: true }) => {
    const services = await stackStatus();
    print(options.json ? JSON.stringify(services) : services.map(statusLine).join('\n'));
    if (services.some((service) => service.problem !== undefined)) process.exitCode = 1;
  });

program
  .command('down')
  .description('stop what `up` started, and delete what it kept')
  .option('--json', 'print the names of what was stopped as JSON')
  .action(async (options: { json?: true }) => {
    const stopped = await stopStack({ reporter });
    if (options.json) print(JSON.stringify({ stopped }));
    else print(stopped.length > 0 ? `stopped ${stopped.join(', ')}` : 'nothing to stop');
  });

function statusLine({ name, address, from, pid, problem }: ServiceStatus): string {
  const who = pid === undefined ? from : `${from} ${pid}`;
  return `${name.padEnd(9)} ${problem === undefined ? 'up  ' : 'DOWN'} ${address} (${problem ?? who})`;
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CroupierError)) throw error;
  reporter.line(error.message);
  process.exitCode = 1;
}
