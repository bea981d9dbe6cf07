/**
 * How to reach the log and the schema registry: the options that every process has in common, and what the adapters
 * make of them. Connects to nothing.
 */
import { type TopicNames, topicNames } from '../contracts/keys.ts';
import { Invalid } from '../core/errors.ts';
import { choice, flag, inGroup, integer, list, text, type Values } from './config.ts';
import type { KafkaLogger, KafkaOptions } from './kafka/connection.ts';
import type { RegistryOptions } from './registry/client.ts';

const REGISTRY_TIMEOUT_MS = 5_000;
const REGISTRY_TRIES_MAX = 4;

/** Spread into a service's own options; by default they lead to what `npm run stack -- up` starts. */
export const CONNECTION_OPTIONS = inGroup('Connection:', {
  brokers: {
    env: 'KAFKA_BROKERS',
    type: list(),
    default: '127.0.0.1:19092',
    unit: 'host:port,...',
    doc: 'Kafka brokers to ask first',
  },
  kafkaTls: {
    env: 'KAFKA_TLS',
    type: flag(),
    default: 'false',
    doc: 'Whether to encrypt connections to Kafka; NODE_EXTRA_CA_CERTS names the file of a CA of your own',
  },
  kafkaSaslMechanism: {
    env: 'KAFKA_SASL_MECHANISM',
    type: choice('none', 'plain', 'scram-sha-256', 'scram-sha-512'),
    default: 'none',
    doc: 'How to log in to Kafka',
  },
  kafkaSaslUsername: {
    env: 'KAFKA_SASL_USERNAME',
    type: text(),
    default: null,
    doc: 'Name to log in to Kafka with',
  },
  kafkaSaslPassword: {
    env: 'KAFKA_SASL_PASSWORD',
    type: text(),
    default: null,
    doc: 'Password to log in to Kafka with',
    secret: true,
  },
  registry: {
    env: 'SCHEMA_REGISTRY_URL',
    type: text(),
    default: 'http://127.0.0.1:18081/apis/ccompat/v7',
    unit: 'url',
    doc: "Base of the schema registry's Confluent-compatible interface",
  },
  registryUsername: {
    env: 'SCHEMA_REGISTRY_USERNAME',
    type: text(),
    default: null,
    doc: 'Name to log in to the schema registry with',
  },
  registryPassword: {
    env: 'SCHEMA_REGISTRY_PASSWORD',
    type: text(),
    default: null,
    doc: 'Password to log in to the schema registry with',
    secret: true,
  },
  prefix: {
    env: 'CROUPIER_TOPIC_PREFIX',
    type: text(),
    default: null,
    doc: 'Text before the name of every topic, such as staging.; lets several installations share a cluster',
  },
  generation: {
    env: 'CROUPIER_GENERATION',
    type: integer({ min: 1, max: 9_999 }),
    default: '1',
    doc: 'Which topics: 1, until `croupier repartition` has made others, named decisions-2 and so on',
  },
});

export type ConnectionValues = Values<typeof CONNECTION_OPTIONS>;

/** @param namespace of a learner that is not the live one. */
export function topicsOf(
  { prefix, generation }: Pick<ConnectionValues, 'prefix' | 'generation'>,
  namespace: string | null = null,
): TopicNames {
  return topicNames(prefix ?? '', namespace ?? '', generation);
}

/** @throws Invalid `config` when a login is incomplete. */
export function kafkaOptions(
  values: ConnectionValues,
  { clientId, logger }: { readonly clientId: string; readonly logger: KafkaLogger },
): KafkaOptions {
  const { brokers, kafkaTls, kafkaSaslMechanism: mechanism } = values;
  const options = { brokers, clientId, logger, ssl: kafkaTls };
  const given = login(values.kafkaSaslUsername, values.kafkaSaslPassword, 'KAFKA_SASL');
  if (mechanism === 'none' && given === null) return options;
  if (mechanism === 'none' || given === null) {
    throw new Invalid(
      'config',
      'a login to Kafka needs all of KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD',
    );
  }
  // kafkajs has one type for each mechanism; these three have the same fields.
  return { ...options, sasl: { mechanism, ...given } as NonNullable<KafkaOptions['sasl']> };
}

/** @throws Invalid `config` when the address is none or a login is incomplete. */
export function registryOptions(values: ConnectionValues): RegistryOptions {
  const url = URL.parse(values.registry);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new Invalid(
      'config',
      `SCHEMA_REGISTRY_URL: ${JSON.stringify(values.registry)}, allowed is an http(s) address`,
    );
  }
  return {
    url: values.registry,
    auth: login(values.registryUsername, values.registryPassword, 'SCHEMA_REGISTRY'),
    timeoutMs: REGISTRY_TIMEOUT_MS,
    triesMax: REGISTRY_TRIES_MAX,
  };
}

/** @returns `null` when neither is given. */
function login(
  username: string | null,
  password: string | null,
  variables: string,
): { readonly username: string; readonly password: string } | null {
  if (username === null && password === null) return null;
  if (username !== null && password !== null) return { username, password };
  throw new Invalid('config', `${variables}_USERNAME and ${variables}_PASSWORD go together, only one of them is given`);
}
