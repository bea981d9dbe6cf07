#!/usr/bin/env node
/**
 * `npm run demo`: the main job from end to end, on real and simulated input, and the proofs that what came out is right.
 */
import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { CroupierError } from '../../services/core/errors.ts';
import { renderTable } from '../../services/platform/table.ts';
import { openEmbeddedStage } from './embedded-stage.ts';
import { openKafkaStage } from './kafka-stage.ts';
import { type DemoResult, perform } from './perform.ts';
import { tablesOf } from './tables.ts';

interface DemoOptions {
  readonly kafka: boolean;
  readonly partitions: number;
  readonly decisions: number;
  readonly rate: number;
  readonly seed: number;
  readonly json?: string;
}

const FOLDER = `.croupier/demo/${new Date().toISOString().replaceAll(':', '')}`;

const whole =
  (min: number, max: number) =>
  (value: string): number => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`Allowed is a whole number from ${min} to ${max}.`);
  };

const command = new Command('demo')
  .description(
    'Backfills 10,000 real decisions, serves live ones to simulated users whose 30-day value is learned late, kills ' +
      'the learner on the way, and proves that it still learned exactly what the log says.',
  )
  .option('--kafka', 'real Kafka, schema registry and processes, started if need be; else all in this process', false)
  .option('--partitions <n>', 'partitions of decisions and rewards', whole(1, 100), 4)
  .option('--decisions <n>', 'live decisions', whole(100, 1_000_000), 5_000)
  .option('--rate <n>', 'live decisions a second', whole(1, 10_000), 250)
  .option('--seed <n>', 'of the simulated users', whole(0, 2 ** 32 - 1), 42)
  .option('--json <file>', 'write every figure there')
  .action(async (options: DemoOptions) => {
    try {
      await run(options);
    } catch (error) {
      if (!(error instanceof CroupierError)) throw error;
      process.stderr.write(`demo: ${error.code}: ${error.message}\n`);
      process.exitCode = 1;
    }
  });
await command.parseAsync();

async function run(options: DemoOptions): Promise<void> {
  const open = options.kafka ? openKafkaStage : openEmbeddedStage;
  const stage = await open({ partitions: options.partitions, folder: FOLDER });
  let result: DemoResult;
  try {
    result = await perform(stage, { ...options, say });
  } finally {
    await stage.close();
  }
  for (const { title, head, rows } of tablesOf(result))
    process.stdout.write(`\n${title}\n${renderTable(head, rows)}\n`);
  const failed = result.bars.filter((bar) => !bar.holds);
  process.stdout.write(`\n${result.bars.length - failed.length} of ${result.bars.length} checks hold.\n`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  if (failed.length > 0) process.exitCode = 1;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
