/** The broker that `.kafka.test.ts` files talk to, and names that keep their runs apart. */
import { randomUUID } from 'node:crypto';

/** @throws when no broker is named: such a test must fail, never be skipped. */
export function kafkaBrokers(): string[] {
  const brokers = process.env.KAFKA_BROKERS;
  if (brokers === undefined || brokers === '') {
    throw new Error('KAFKA_BROKERS is not set: run `npm run stack -- up`, or give host:port[,host:port] of a broker');
  }
  return brokers.split(',');
}

/** A topic or group name that no other test run has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID()}`;
}
