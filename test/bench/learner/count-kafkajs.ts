/**
 * The ceiling: a kafkajs consumer that only counts, in a process of its own. `node count-kafkajs.ts BROKERS TOTAL TOPIC …`
 * prints one line of JSON: events/s, CPU µs an event.
 */
import kafkajs from 'kafkajs';

const [brokers, total, ...topics] = process.argv.slice(2) as [string, string, ...string[]];
const kafka = new kafkajs.Kafka({ clientId: 'bench', brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: `bench-${Date.now()}`, readUncommitted: false });
let events = 0;
let start: { readonly atMs: number; readonly cpu: NodeJS.CpuUsage } | null = null;
await consumer.connect();
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  partitionsConsumedConcurrently: 8,
  eachBatch: async ({ batch }) => {
    start ??= { atMs: performance.now(), cpu: process.cpuUsage() };
    events += batch.messages.length;
    if (events < Number(total)) return;
    const eventsPerSecond = (events * 1_000) / (performance.now() - start.atMs);
    const { user, system } = process.cpuUsage(start.cpu);
    process.stdout.write(`${JSON.stringify({ eventsPerSecond, cpuUsPerEvent: (user + system) / events })}\n`, () =>
      process.exit(0),
    );
  },
});
