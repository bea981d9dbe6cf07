/**
 * The topics of the embedded log and, when it has a folder, their place on disk: `<folder>/<topic>/topic.json` and one
 * segment file a partition. A topic exists once its topic.json does. One process at a time may have a folder open.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Corrupt, Invalid } from '../../core/errors.ts';
import type { TopicPartition, TopicSpec } from '../log/port.ts';
import { Partition } from './partition.ts';
import { syncFolder } from './segment.ts';

export interface Topic {
  readonly spec: TopicSpec;
  readonly partitions: readonly Partition[];
}

/** Kafka's rule, so that a name good here is good there; it also keeps names from leaving the folder. */
const TOPIC_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

export class Topics {
  readonly #folder: string | null;
  readonly #byName = new Map<string, Topic>();

  /** @param folder `null` keeps everything in memory. */
  constructor(folder: string | null) {
    this.#folder = folder;
    if (folder === null) return;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) {
      if (existsSync(join(folder, name, 'topic.json'))) this.#byName.set(name, openTopic(join(folder, name), name));
    }
  }

  all(): Topic[] {
    return [...this.#byName.values()];
  }

  find(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  /** @throws Invalid `unknown-topic`. */
  get(name: string): Topic {
    const topic = this.#byName.get(name);
    if (topic === undefined) throw new Invalid('unknown-topic', `there is no topic "${name}"; create it first`);
    return topic;
  }

  /** @throws Invalid `unknown-topic`, `unknown-partition`. */
  partition({ topic, partition }: TopicPartition): Partition {
    const { partitions } = this.get(topic);
    const found = partitions[partition];
    if (found === undefined) {
      throw new Invalid(
        'unknown-partition',
        `topic "${topic}" has partitions 0 to ${partitions.length - 1}, not ${partition}`,
      );
    }
    return found;
  }

  create(spec: TopicSpec): void {
    if (!TOPIC_NAME.test(spec.topic)) {
      throw new Invalid('invalid-topic', `topic name "${spec.topic}" must match ${TOPIC_NAME.source}`);
    }
    const indexes = Array.from({ length: spec.partitions }, (_, partition) => partition);
    const folder = this.#folder === null ? null : join(this.#folder, spec.topic);
    if (folder !== null) {
      // What a crash left half created or half deleted.
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
    }
    const partitions = indexes.map((partition) => {
      const name = { topic: spec.topic, partition };
      return folder === null ? Partition.inMemory(name) : Partition.create(name, segmentPath(folder, partition));
    });
    if (folder !== null) {
      writeFileSync(join(folder, 'topic.json.new'), JSON.stringify(spec, null, 2), { flush: true });
      renameSync(join(folder, 'topic.json.new'), join(folder, 'topic.json'));
      syncFolder(folder);
    }
    this.#byName.set(spec.topic, { spec, partitions });
  }

  delete(name: string): void {
    for (const partition of this.get(name).partitions) partition.close();
    this.#byName.delete(name);
    if (this.#folder === null) return;
    rmSync(join(this.#folder, name, 'topic.json'));
    rmSync(join(this.#folder, name), { recursive: true });
  }

  close(): void {
    for (const { partitions } of this.#byName.values()) for (const partition of partitions) partition.close();
    this.#byName.clear();
  }
}

function openTopic(folder: string, name: string): Topic {
  const spec = JSON.parse(readFileSync(join(folder, 'topic.json'), 'utf8')) as TopicSpec;
  if (spec.topic !== name) throw new Corrupt('topic-file', `${folder}/topic.json is of topic "${spec.topic}"`);
  const partitions = Array.from({ length: spec.partitions }, (_, partition) =>
    Partition.open({ topic: name, partition }, segmentPath(folder, partition)),
  );
  return { spec, partitions };
}

function segmentPath(folder: string, partition: number): string {
  return join(folder, `${partition}.log`);
}
