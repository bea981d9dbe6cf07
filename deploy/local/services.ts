/**
 * Purpose: names the three services that Croupier leans on, and the environment variables that say where they are.
 * Owns nothing.
 */
import { Invalid } from '../../services/core/errors.ts';

export const SERVICES = ['kafka', 'registry', 'redis'] as const;
export type ServiceName = (typeof SERVICES)[number];

export type Environment = Readonly<Record<string, string | undefined>>;
export type Addresses = Readonly<Record<ServiceName, string>>;
export type Ports = Readonly<Record<ServiceName, number>>;

/** The variable that gives each service's address, both read (use that one) and handed on (this one was started). */
export const ADDRESS_VARIABLE: Readonly<Record<ServiceName, string>> = {
  kafka: 'KAFKA_BROKERS',
  registry: 'SCHEMA_REGISTRY_URL',
  redis: 'REDIS_URL',
};

/** The variable that moves the loopback port of a service started here; docker-compose.yml reads the same ones. */
export const PORT_VARIABLE: Readonly<Record<ServiceName, string>> = {
  kafka: 'CROUPIER_STACK_KAFKA_PORT',
  registry: 'CROUPIER_STACK_REGISTRY_PORT',
  redis: 'CROUPIER_STACK_REDIS_PORT',
};

const PORT_DEFAULT: Ports = { kafka: 19_092, registry: 18_081, redis: 16_379 };

export function portsOf(environment: Environment): Ports {
  return {
    kafka: portOf('kafka', environment),
    registry: portOf('registry', environment),
    redis: portOf('redis', environment),
  };
}

/** Where a service answers when it was started here, on this machine's loopback. */
export function localAddress(name: ServiceName, ports: Ports): string {
  switch (name) {
    case 'kafka':
      return `127.0.0.1:${ports.kafka}`;
    case 'registry':
      return `http://127.0.0.1:${ports.registry}/apis/ccompat/v7`;
    case 'redis':
      return `redis://127.0.0.1:${ports.redis}`;
  }
}

/** KAFKA_BROKERS and so on, as a child process wants them. */
export function addressVariables(addresses: Addresses): Record<string, string> {
  return Object.fromEntries(SERVICES.map((name) => [ADDRESS_VARIABLE[name], addresses[name]]));
}

function portOf(name: ServiceName, environment: Environment): number {
  const text = environment[PORT_VARIABLE[name]];
  if (text === undefined || text === '') return PORT_DEFAULT[name];
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_534) {
    throw new Invalid('stack-port', `${PORT_VARIABLE[name]}=${text}: want a port number from 1 to 65534`);
  }
  return port;
}
