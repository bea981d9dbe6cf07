/**
 * Metrics of one process, in Prometheus' text format. Each service makes one and registers on it what it measures;
 * nothing is global, so two services in one process keep apart. Not here: the HTTP port that shows them.
 */
import {
  AggregatorRegistry,
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';

type Described<T> = Omit<T, 'registers'>;

export interface Metrics {
  counter<Label extends string>(options: Described<CounterConfiguration<Label>>): Counter<Label>;
  gauge<Label extends string>(options: Described<GaugeConfiguration<Label>>): Gauge<Label>;
  histogram<Label extends string>(options: Described<HistogramConfiguration<Label>>): Histogram<Label>;
  /** @returns the exposition and its content type. */
  render(): Promise<Exposition>;
  /** @returns the values as they are now, to be rendered with those of other threads. */
  collect(): Promise<CollectedMetrics>;
}

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

/** Plain objects, which threads can hand to each other. */
export type CollectedMetrics = readonly MetricObjectWithValues<MetricValue<string>>[];

export interface MetricsOptions {
  /** Label `service` of every metric, such as `decider`. */
  readonly service: string;
  /** Whether to measure the process too: memory, event loop, garbage collection. */
  readonly process: boolean;
  /** Of a thread that is not the only one: its event loop and heap get this label, and the process is another's to measure. */
  readonly thread?: number;
}

export function createMetrics({ service, process, thread }: MetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  if (process) collectDefaultMetrics({ register: registry, ...(thread === undefined ? {} : { labels: { thread } }) });
  const registers = [registry];
  return {
    counter: (described) => new Counter({ ...described, registers }),
    gauge: (described) => new Gauge({ ...described, registers }),
    histogram: (described) => new Histogram({ ...described, registers }),
    render: () => exposition(registry),
    async collect() {
      const all = await registry.getMetricsAsJSON();
      return thread === undefined ? all : all.filter(({ name }) => !name.startsWith('process_'));
    },
  };
}

/** What several threads collected as one exposition: values of one metric and labels become one, by the metric's aggregator. */
export function rendered(collected: readonly CollectedMetrics[]): Promise<Exposition> {
  return exposition(AggregatorRegistry.aggregate([...collected]));
}

async function exposition(registry: Registry): Promise<Exposition> {
  return { contentType: registry.contentType, body: await registry.metrics() };
}
