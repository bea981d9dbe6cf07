import { expect, it } from 'vitest';
import { createMetrics } from '../../../services/platform/metrics.ts';

it('metrics of two services in one process keep apart', async () => {
  const decider = createMetrics({ service: 'decider', process: false });
  const learner = createMetrics({ service: 'learner', process: false });
  const options = { name: 'events_total', help: 'Events.', labelNames: ['kind'] as const };
  decider.counter(options).inc({ kind: 'a' }, 2);
  learner.counter(options).inc({ kind: 'a' }, 5);
  const { body, contentType } = await decider.render();
  expect(body).toContain('events_total{kind="a",service="decider"} 2');
  expect(body).not.toContain('learner');
  expect(contentType).toContain('text/plain');
});

it('a process can be measured too', async () => {
  const { body } = await createMetrics({ service: 'decider', process: true }).render();
  expect(body).toContain('process_resident_memory_bytes');
});
