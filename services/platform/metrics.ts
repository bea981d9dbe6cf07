/**
 * Metrics of one process, in Prometheus' text format. Each service makes one and registers on it what it measures;
 * nothing is global, so two services in one process keep apart. Not here: the HTTP port that shows them.
 */
import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client';

type Described<T> = Omit<T, 'registers'>;

export interface Metrics {
  counter<Label extends string>(options: Described<CounterConfiguration<Label>>): Counter<Label>;
  gauge<Label extends string>(options: Described<GaugeConfiguration<Label>>): Gauge<Label>;
  histogram<Label extends string>(options: Described<HistogramConfiguration<Label>>): Histogram<Label>;
  /** @returns the exposition and its content type. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface MetricsOptions {
  /** Label `service` of every metric, such as `decider`. */
  readonly service: string;
  /** Whether to measure the process too: memory, event loop, garbage collection. */
  readonly process: boolean;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  if (options.process) collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    counter: (described) => new Counter({ ...described, registers }),
    gauge: (described) => new Gauge({ ...described, registers }),
    histogram: (described) => new Histogram({ ...described, registers }),
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
