import { expect, it } from 'vitest';
import { rethrow } from '../../../services/core/errors.ts';
import type { Learner } from '../../../services/learner/learner.ts';
import { learnerTelemetry } from '../../../services/learner/telemetry.ts';
import { createLogger } from '../../../services/platform/logging.ts';
import { createMetrics } from '../../../services/platform/metrics.ts';
import { T0 } from '../../support/core.ts';
import { sendTraffic, trafficWorld } from '../../support/traffic.ts';

/** @returns the value of each line of a metric, by its labels without the service. */
function valuesOf(exposition: string, name: string): Record<string, number> {
  const lines = exposition.split('\n').filter((line) => line.startsWith(`${name}{`));
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels, value] = /\{(.*)\} (\S+)$/.exec(line)!;
      return [labels!.replace('service="learner"', '').replace(/^,|,$/g, ''), Number(value)];
    }),
  );
}

it('a learner shows what it has read, what waits, what became of every event, and how old its snapshots are', async () => {
  const world = await trafficWorld();
  const metrics = createMetrics({ service: 'learner', process: false });
  let learner: Learner | null = null;
  const observer = learnerTelemetry(metrics, createLogger({ name: 'learner', level: 'silent' }), {
    log: world.log,
    topics: world.topics,
    tasks: () => learner?.tally.tasks() ?? [],
    storeBytes: async () => 4_096,
    timeMs: () => world.clock.nowMs + 5_000,
    failed: rethrow,
  });
  const render = async () => (await metrics.render()).body;
  expect(await render()).not.toContain('lag_events{');

  await sendTraffic(world, 0, 48);
  learner = await world.learner({ observer });
  await world.learned();
  const shown = await render();
  const [progress] = [...(await world.progress()).values()];
  const columns = valuesOf(shown, 'croupier_learner_events');
  expect(columns['partition="0",column="decisionsIn"']).toBe(progress!.counts.decisionsIn);
  expect(columns['partition="0",column="rewardsUnmatched"']).toBe(progress!.counts.rewardsUnmatched);
  expect(valuesOf(shown, 'croupier_learner_lag_events')).toEqual({
    'partition="0",stream="decisions"': 0,
    'partition="0",stream="rewards"': 0,
  });
  expect(valuesOf(shown, 'croupier_learner_lag_seconds')['partition="0",stream="rewards"']).toBe(0);
  expect(valuesOf(shown, 'croupier_learner_store_bytes')).toEqual({ 'partition="0"': 4_096 });
  expect(valuesOf(shown, 'croupier_learner_pending_bytes')['partition="0"']).toBeGreaterThan(1_000);
  expect(valuesOf(shown, 'croupier_learner_log_clock_seconds')['partition="0",stream="decisions"']).toBeGreaterThan(
    T0 / 1_000,
  );
  expect(Object.keys(valuesOf(shown, 'croupier_learner_snapshot_age_seconds'))).toHaveLength(3);
  expect(Object.values(valuesOf(shown, 'croupier_learner_dead_letters_total'))[0]).toBeGreaterThan(0);

  const [task] = learner.tally.tasks();
  await learner.stop();
  // What it had is another learner's to show.
  expect(valuesOf(await render(), 'croupier_learner_events')).toEqual({});
  learner = { ...learner, tally: { tasks: () => [task!] } } as unknown as Learner;
  await sendTraffic(world, 48, 56);
  const waiting = await render();
  const behind = await world.log.admin.offsets(world.topics.decisions);
  expect(valuesOf(waiting, 'croupier_learner_lag_events')['partition="0",stream="decisions"']).toBe(
    behind[0]!.end - task!.join.state.offsets.decisions,
  );
  expect(valuesOf(waiting, 'croupier_learner_lag_seconds')['partition="0",stream="decisions"']).toBeGreaterThan(5);
});
