import { ensureStack } from '../../deploy/local/ensure.ts';
import { KafkaLog } from '../../services/platform/kafka/log.ts';
import { createLogger } from '../../services/platform/logging.ts';
import { prepareInputs } from './learner/inputs.ts';
import { measureLearner } from './learner/measure-learner.ts';

const stack = await ensureStack({});
const log = new KafkaLog({
  brokers: stack.addresses.kafka.split(','),
  clientId: 'bench',
  logger: createLogger({ name: 'bench', level: 'error' }),
  ssl: false,
} as any);
const cluster = { log, registry: { url: stack.addresses.registry, auth: null, timeoutMs: 10_000, triesMax: 5 } };
const live = Number(process.env.LIVE ?? 200_000),
  pending = Number(process.env.PENDING ?? 0);
const lin = process.env.LIN === '1';
const shape = { pending, live, experiments: lin ? 1 : 20, arms: lin ? 20 : 3, dimension: lin ? 32 : 0 };
const t = performance.now();
await prepareInputs(cluster, shape);
console.error('prepared', ((performance.now() - t) / 1000).toFixed(1), 's');
for (let i = 0; i < Number(process.env.RUNS ?? 1); i++) {
  const r = await measureLearner(cluster, shape, {
    variables: stack.variables,
    nodeArgs: (process.env.NODEARGS ?? '').split(' ').filter(Boolean),
    ...(process.env.KEEP ? { keepStores: process.env.KEEP } : {}),
    ...(process.env.STORES ? { stores: process.env.STORES } : {}),
    processes: Number(process.env.PROCS ?? 1),
  });
  console.log(
    JSON.stringify({
      ...r,
      eventsPerSecond: Math.round(r.eventsPerSecond),
      cpuUsPerEvent: +r.cpuUsPerEvent.toFixed(1),
      rssMB: r.rssBytes >> 20,
    }),
  );
}
await log.close();
