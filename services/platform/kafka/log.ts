/**
 * The log port over a Kafka cluster (2.3 or later, tested with 4.1). Each part has its own connection, made at first
 * use. This folder is the only one that imports kafkajs.
 */
import { Invalid } from '../../core/errors.ts';
import type { GroupMembership, Log, LogReader, LogWriter } from '../log/port.ts';
import { KafkaAdmin } from './admin.ts';
import type { KafkaOptions } from './connection.ts';
import { KafkaMembership } from './membership.ts';
import { KafkaReader } from './reader.ts';
import { KafkaWriter } from './writer.ts';

export class KafkaLog implements Log {
  readonly admin: KafkaAdmin;
  readonly #options: KafkaOptions;
  readonly #parts = new Map<object, () => Promise<void>>();
  #closed = false;

  constructor(options: KafkaOptions) {
    this.#options = options;
    this.admin = new KafkaAdmin(options);
  }

  reader(): LogReader {
    this.#assertOpen();
    const reader = new KafkaReader(this.#options, () => this.#parts.delete(reader));
    this.#parts.set(reader, () => reader.close());
    return reader;
  }

  writer(): LogWriter {
    this.#assertOpen();
    const writer = new KafkaWriter(this.#options, () => this.#parts.delete(writer));
    this.#parts.set(writer, () => writer.close());
    return writer;
  }

  async soleWriter(name: string): Promise<LogWriter> {
    this.#assertOpen();
    const writer = await KafkaWriter.sole(this.#options, name, () => this.#parts.delete(writer));
    this.#parts.set(writer, () => writer.close());
    return writer;
  }

  membership(): GroupMembership {
    this.#assertOpen();
    const membership = new KafkaMembership(this.#options, () => this.#parts.delete(membership));
    this.#parts.set(membership, () => membership.leave());
    return membership;
  }

  /** Leaves groups, waits for appends in flight, then cuts the lines. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#parts.values()].map((close) => close()));
    this.admin.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new Invalid('closed', 'this log is closed');
  }
}
