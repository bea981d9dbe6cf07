/** The broker of the local stack as a process that can be killed and started again, on the disk that it had. */
import { readFile } from 'node:fs/promises';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { probe } from '../../deploy/local/probe.ts';
import { startProcess } from '../../deploy/local/processes.ts';
import { readState, writeState } from '../../deploy/local/state.ts';
import { kafkaBrokers } from './broker.ts';
import { until } from './until.ts';

const START_MS_MAX = 60_000;

/** Whether the broker that the environment names is a local process which this checkout started. */
export async function brokerIsOurs(): Promise<boolean> {
  const kafka = (await readState(CHECKOUT))?.started.kafka;
  return kafka?.from === 'process' && kafkaBrokers().includes(kafka.address);
}

/** Resolves when it answers again. */
export async function restartBrokerHard(): Promise<void> {
  const state = (await readState(CHECKOUT))!;
  const { kafka } = state.started;
  if (kafka?.from !== 'process') throw new Error('the broker is not a process of this checkout');
  const [command, ...args] = (await readFile(`/proc/${kafka.pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
  process.kill(kafka.pid, 'SIGKILL');
  const { marker, log } = kafka;
  const { pid } = await startProcess({ command: command!, args, marker }, log);
  await writeState(CHECKOUT, { ...state, started: { ...state.started, kafka: { ...kafka, pid } } });
  await until('the broker answers', async () => (await probe('kafka', kafka.address)) === undefined, START_MS_MAX);
}
