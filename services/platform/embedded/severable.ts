/**
 * Crashes within one process: a view of a log and of stores that can be cut off, as a kill cuts off a process. From
 * then on nothing gets through; only closing and leaving still work. For the demo, tests and the simulator.
 */
import { Fenced } from '../../core/errors.ts';
import type { Log } from '../log/port.ts';
import type { Store } from '../store/port.ts';

export interface Severable {
  readonly log: Log;
  store(store: Store): Store;
  sever(): void;
}

export function severable(log: Log): Severable {
  let severed = false;
  const guard = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const member = Reflect.get(object, name, object) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          if (severed && name !== 'close' && name !== 'leave') throw new Fenced('severed', 'cut off');
          return Reflect.apply(member, object, args) as unknown;
        };
      },
    });
  return {
    log: {
      reader: () => guard(log.reader()),
      writer: () => guard(log.writer()),
      soleWriter: async (name) => guard(await log.soleWriter(name)),
      membership: () => guard(log.membership()),
      admin: guard(log.admin),
      close: () => log.close(),
    },
    store: guard,
    sever() {
      severed = true;
    },
  };
}
