import { expect, it } from 'vitest';
import { createMetrics, rendered } from '../../../services/platform/metrics.ts';

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

it('metrics of several threads are one exposition: counters and histograms add up, a gauge goes by what it is', async () => {
  const threads = [1, 2].map((thread) => {
    const metrics = createMetrics({ service: 'learner', process: false, thread });
    metrics.counter({ name: 'events_total', help: 'Events.', labelNames: ['kind'] }).inc({ kind: 'a' }, thread);
    metrics.histogram({ name: 'commit_seconds', help: 'Commits.', buckets: [1] }).observe(thread);
    metrics.gauge({ name: 'version', help: 'Version.', aggregator: 'max' }).set(10 * thread);
    return metrics;
  });
  const { body, contentType } = await rendered(await Promise.all(threads.map((metrics) => metrics.collect())));
  expect(body.match(/^[^#\n].*$/gm)).toEqual([
    'events_total{kind="a",service="learner"} 3',
    'commit_seconds_bucket{le="1",service="learner"} 1',
    'commit_seconds_bucket{le="+Inf",service="learner"} 2',
    'commit_seconds_sum{service="learner"} 3',
    'commit_seconds_count{service="learner"} 2',
    'version{service="learner"} 20',
  ]);
  expect(contentType).toContain('text/plain');
});

it('a thread measures its heap and leaves the process to the main thread', async () => {
  const collected = await createMetrics({ service: 'learner', process: true, thread: 2 }).collect();
  const names = collected.map(({ name }) => name);
  expect(names).toContain('nodejs_heap_size_used_bytes');
  expect(names.filter((name) => name.startsWith('process_'))).toEqual([]);
  expect((await rendered([collected])).body).toMatch(/nodejs_heap_size_used_bytes\{.*thread="2".*\} \d+/);
});
