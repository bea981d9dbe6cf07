/** How many partitions a topic has that must be there. */
import { Invalid } from '../../core/errors.ts';
import type { Log } from './port.ts';

/** @throws Invalid `unknown-topic`, naming the command that makes it; Unavailable. */
export async function partitionCountOf(log: Log, topic: string): Promise<number> {
  const count = await log.admin.partitionCount(topic);
  if (count !== null) return count;
  throw new Invalid('unknown-topic', `topic ${topic} does not exist; \`croupier topics create\` makes it`);
}
