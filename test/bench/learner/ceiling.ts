/** Starts the ceiling (count-kafkajs.ts) on the inputs of a shape. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { topicNames } from '../../../services/contracts/keys.ts';
import { eventCount, type Shape } from './events.ts';
import { prefixOf } from './inputs.ts';
import type { Rate } from './rate.ts';

export async function countWithKafkajs(brokers: string, shape: Shape): Promise<Rate> {
  const { decisions, rewards } = topicNames(prefixOf(shape));
  const events = eventCount(shape);
  const script = join(import.meta.dirname, 'count-kafkajs.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script, brokers, String(events), decisions, rewards]);
  return { events, ...(JSON.parse(stdout) as Omit<Rate, 'events'>) };
}
