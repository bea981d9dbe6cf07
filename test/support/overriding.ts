/** Parts that do one thing otherwise, for tests that make faults or step between two calls. */
import type { Log, LogWriter } from '../../services/platform/log/port.ts';

/** @returns what does as `inner`, but for the methods that are given. */
export function overriding<T extends object>(inner: T, methods: Partial<T>): T {
  return new Proxy(inner, {
    get(_, name) {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name);
      const own: unknown = Reflect.get(inner, name, inner);
      return typeof own === 'function' ? own.bind(inner) : own;
    },
  });
}

type Append = LogWriter['append'];

/** @param around asked of each writer, sole or not. @returns a view of the log on which that is how writers append. */
export function appending(log: Log, around: (append: Append) => Append): Log {
  const view = (writer: LogWriter): LogWriter =>
    overriding(writer, { append: around((to, records) => writer.append(to, records)) });
  return overriding(log, {
    writer: () => view(log.writer()),
    soleWriter: async (name) => view(await log.soleWriter(name)),
  });
}
