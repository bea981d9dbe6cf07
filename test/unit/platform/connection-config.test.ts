import { expect, test } from 'vitest';
import { defineConfig } from '../../../services/platform/config.ts';
import { CONNECTION_OPTIONS, kafkaOptions, registryOptions } from '../../../services/platform/connection-config.ts';

const config = defineConfig(CONNECTION_OPTIONS);
const logger = { warn: () => {}, debug: () => {} };

function kafka(env: Record<string, string>) {
  return kafkaOptions(config.parse({ env, flags: {} }), { clientId: 'test', logger });
}

test('without a word about the connection it is the local stack, plain and without a login', () => {
  expect(kafka({})).toEqual({ brokers: ['127.0.0.1:19092'], clientId: 'test', logger, ssl: false });
  expect(registryOptions(config.parse({ env: {}, flags: {} }))).toMatchObject({
    url: 'http://127.0.0.1:18081/apis/ccompat/v7',
    auth: null,
  });
});

test('a login to Kafka goes through when it is complete', () => {
  const env = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'learner', KAFKA_SASL_PASSWORD: 'x' };
  expect(kafka({ ...env, KAFKA_TLS: 'true' })).toMatchObject({
    ssl: true,
    sasl: { mechanism: 'scram-sha-512', username: 'learner', password: 'x' },
  });
});

test.each([
  { KAFKA_SASL_MECHANISM: 'plain' },
  { KAFKA_SASL_USERNAME: 'learner' },
  { KAFKA_SASL_USERNAME: 'learner', KAFKA_SASL_PASSWORD: 'hush' },
])('an incomplete login to Kafka is refused by the names of its options: %o', (env) => {
  expect(() => kafka(env as Record<string, string>)).toThrow(/KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD/);
});

test('an address of the registry that is none is refused', () => {
  const values = config.parse({ env: { SCHEMA_REGISTRY_URL: 'registry:8081' }, flags: {} });
  expect(() => registryOptions(values)).toThrow('SCHEMA_REGISTRY_URL: "registry:8081"');
});

test('passwords are not shown', () => {
  const env = { KAFKA_SASL_PASSWORD: 'hush', SCHEMA_REGISTRY_PASSWORD: 'hush' };
  expect(JSON.stringify(config.redacted(config.parse({ env, flags: {} })))).not.toContain('hush');
});
