import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Lifecycle } from '../../../services/platform/lifecycle.ts';
import { createLogger } from '../../../services/platform/logging.ts';

function world(stopMsMax = 60_000) {
  const log: string[] = [];
  const events = new EventEmitter();
  let exited: (code: number) => void;
  const exit = new Promise<number>((resolve) => {
    exited = resolve;
  });
  const process = {
    on: (event: string, handler: (error: unknown) => void) => events.on(event, handler),
    exit: (code: number) => exited(code),
  };
  const logger = createLogger({ name: 'test', level: 'silent' });
  return { log, events, exit, lifecycle: new Lifecycle({ logger, stopMsMax, process }) };
}

describe('a service', () => {
  it('stops its parts on SIGTERM, the last started first, one after the other, once', async () => {
    const { log, events, exit, lifecycle } = world();
    lifecycle.started('log', () => void log.push('log'));
    lifecycle.started('server', async () => {
      log.push('server...');
      await Promise.resolve();
      log.push('server');
    });
    events.emit('SIGTERM');
    events.emit('SIGINT');
    expect(await exit).toBe(0);
    expect(log).toEqual(['server...', 'server', 'log']);
  });

  it('stops the other parts although one fails, and says so by its exit code', async () => {
    const { log, lifecycle, exit } = world();
    lifecycle.started('log', () => void log.push('log'));
    lifecycle.started('server', () => Promise.reject(new Error('no')));
    await lifecycle.stop();
    expect(await exit).toBe(1);
    expect(log).toEqual(['log']);
  });

  it('stops when an error is caught by nobody', async () => {
    const { log, events, lifecycle, exit } = world();
    lifecycle.started('log', () => void log.push('log'));
    events.emit('unhandledRejection', new Error('oops'));
    expect(await exit).toBe(1);
    expect(log).toEqual(['log']);
  });

  it('exits after the deadline although a part hangs', async () => {
    const { lifecycle, exit } = world(1);
    lifecycle.started('server', () => new Promise(() => {}));
    void lifecycle.stop();
    expect(await exit).toBe(1);
  });
});
