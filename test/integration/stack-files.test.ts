import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { composeSettings } from '../../deploy/local/compose.ts';
import { CHECKOUT } from '../../deploy/local/ensure.ts';
import { portsOf } from '../../deploy/local/services.ts';

const read = (...path: string[]) => readFileSync(join(CHECKOUT, ...path), 'utf8');
const compose = read('docker-compose.yml');

describe('the stack runs the same thing in Docker and as local processes', () => {
  it.each([
    ['kafka', 'apache/kafka', /<kafka.version>(.+)<\/kafka.version>/],
    ['registry', 'apicurio/apicurio-registry-mem', /<apicurio.version>(.+)<\/apicurio.version>/],
  ])('%s in the release that its image has', (name, image, version) => {
    const ofPom = version.exec(read('deploy', 'local', name, 'pom.xml'))?.[1];
    const ofImage = new RegExp(`image: ${image}:(.+)`).exec(compose)?.[1];
    expect(ofPom).toBeDefined();
    expect(ofPom).toBe(ofImage);
  });

  it('on the same ports', () => {
    const { kafka, registry, redis } = portsOf({});
    for (const [variable, port] of Object.entries({ KAFKA: kafka, REGISTRY: registry, REDIS: redis })) {
      expect(compose).toContain(`127.0.0.1:\${CROUPIER_STACK_${variable}_PORT:-${port}}:`);
    }
  });

  it('with the settings that docker-compose.yml gives', async () => {
    const { kafka, redis } = await composeSettings(CHECKOUT);
    expect(kafka.environment).toMatchObject({
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_MESSAGE_MAX_BYTES: String(4 * 1024 * 1024),
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    });
    expect(redis.command[0]).toBe('redis-server');
  });
});

describe('every image that is fetched', () => {
  it('is pinned to a release', () => {
    const images = [...compose.matchAll(/^ +image: (\S+)$/gm)].map(([, image]) => image as string);
    expect(images.length).toBeGreaterThan(4);
    for (const image of images) expect(image).toMatch(/^(croupier:local|[a-z/-]+:v?\d+\.\d+\S*)$/);
  });
});

describe('what is deployed speaks of what the services have', () => {
  const sources = globSync('services/**/*.ts', { cwd: CHECKOUT }).map((file) => read(file));
  const inSources = (text: string) => sources.some((source) => source.includes(`'${text}'`));

  it.each([
    ['on the dashboard', join('grafana', 'dashboards', 'croupier.json')],
    ['that an alert watches', join('prometheus', 'rules.yml')],
  ])('every metric %s is one that a service registers', (_where, file) => {
    const metrics = read('deploy', file).match(/\b(mab|croupier)_[a-z_]+/g) ?? [];
    const names = new Set(metrics.map((metric) => metric.replace(/_(bucket|sum|count)$/, '')));
    expect(names.size).toBeGreaterThan(4);
    expect([...names].filter((name) => !inSources(name))).toEqual([]);
  });

  it('every variable that a container is given is one that a service reads', () => {
    const given = `${compose}${read('deploy', 'kubernetes', 'config.yaml')}`;
    const variables = new Set([...given.matchAll(/^ +([A-Z_]+): /gm)].map(([, name]) => name as string));
    const ours = [...variables].filter((name) => /^CROUPIER_|^KAFKA_BROKERS$|_URL$/.test(name));
    expect(ours.length).toBeGreaterThan(4);
    expect(ours.filter((name) => !inSources(name))).toEqual([]);
  });
});
