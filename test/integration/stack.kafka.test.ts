import { describe, expect, it } from 'vitest';
import { ensureStack } from '../../deploy/local/ensure.ts';
import { probe } from '../../deploy/local/probe.ts';
import { SERVICES } from '../../deploy/local/services.ts';

describe('the stack that these tests run on', () => {
  it('is found through the environment, answers, and is not started again', async () => {
    const stack = await ensureStack();
    expect(stack.started).toEqual([]);
    const problems = await Promise.all(SERVICES.map((name) => probe(name, stack.addresses[name])));
    expect(problems).toEqual([undefined, undefined, undefined]);
  });

  it('is told apart by protocol: a service asked as another one does not pass for it', async () => {
    const { addresses } = await ensureStack();
    const { host } = new URL(addresses.redis);
    expect(await probe('kafka', host)).toBeDefined();
    expect(await probe('registry', `http://${host}`)).toBeDefined();
    expect(await probe('redis', `redis://${addresses.kafka.split(',')[0]}`)).toBeDefined();
  });
});
