/** kafkajs's and the broker's errors, turned into the reaction they demand. */
import { CroupierError, Invalid, Unavailable } from '../../core/errors.ts';

/** Broker answers that will be the same however often one asks. */
const INVALID_CODES: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'unknown-topic',
  INVALID_TOPIC_EXCEPTION: 'invalid-topic',
  MESSAGE_TOO_LARGE: 'record-too-large',
  RECORD_LIST_TOO_LARGE: 'record-too-large',
  INVALID_RECORD: 'invalid-record',
  TOPIC_AUTHORIZATION_FAILED: 'not-authorized',
  GROUP_AUTHORIZATION_FAILED: 'not-authorized',
  CLUSTER_AUTHORIZATION_FAILED: 'not-authorized',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'not-authorized',
  SASL_AUTHENTICATION_FAILED: 'not-authorized',
  UNSUPPORTED_SASL_MECHANISM: 'not-authorized',
  INVALID_SESSION_TIMEOUT: 'invalid-session-timeout',
  INVALID_GROUP_ID: 'invalid-group',
  INCONSISTENT_GROUP_PROTOCOL: 'invalid-group',
  POLICY_VIOLATION: 'policy-violation',
  INVALID_CONFIG: 'invalid-config',
  INVALID_PARTITIONS: 'invalid-partitions',
  INVALID_REPLICATION_FACTOR: 'invalid-replication-factor',
};

/** The partition moved or its leader is being chosen: look up the leader again. Nothing has been appended. */
const STALE_LEADER: readonly string[] = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
];

/** The coordinator is new or still reads its state, as it does for seconds at the first use in a cluster's life. */
const STARTING_COORDINATOR: readonly string[] = [
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_LOAD_IN_PROGRESS',
  'CONCURRENT_TRANSACTIONS',
];

/** How kafkajs 2.2.4 words that a connection ended. */
const LOST_CONNECTION =
  /Connection error|Closed connection|Connection closed|Connection timeout|Failed to connect|Not connected|timed out/;

const OVERTAKEN = 'INVALID_PRODUCER_EPOCH';

/** @param what names the act and its target, e.g. `append to decisions/3`. */
export function asCroupierError(error: unknown, what: string): CroupierError {
  if (error instanceof CroupierError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  const message = `could not ${what}: ${detail}`;
  const invalid = isRefusedLogin(error) ? 'not-authorized' : INVALID_CODES[typeOf(error) ?? ''];
  if (invalid !== undefined) return new Invalid(invalid, message, { cause: error });
  return new Unavailable(typeOf(error) === OVERTAKEN ? 'overtaken' : 'log-unavailable', message, { cause: error });
}

/** Whether a broker said no, and not whether it went away while being asked: kafkajs says both by one error. */
function isRefusedLogin(error: unknown): boolean {
  const login = chainOf(error).find(({ name }) => name === 'KafkaJSSASLAuthenticationError');
  return login !== undefined && !LOST_CONNECTION.test(login.message);
}

export function isStartingCoordinator(error: unknown): boolean {
  return STARTING_COORDINATOR.includes(typeOf(error) ?? '');
}

export function isStaleLeader(error: unknown): boolean {
  return STALE_LEADER.includes(typeOf(error) ?? '');
}

/** The broker's name for its refusal, e.g. `NOT_LEADER_FOR_PARTITION`; undefined when it never answered. */
export function typeOf(error: unknown): string | undefined {
  for (const each of chainOf(error)) {
    if ('type' in each && typeof each.type === 'string') return each.type;
    // kafkajs gathers the refusals of createTopics; one is enough to know what to do.
    if ('errors' in each && Array.isArray(each.errors)) return typeOf(each.errors[0]);
  }
  return undefined;
}

/** kafkajs and our own errors wrap what they caught: the error, its cause, and so on. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && !chain.includes(each); each = each.cause) chain.push(each);
  return chain;
}
