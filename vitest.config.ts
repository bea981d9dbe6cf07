/** Two projects: `unit` needs nothing but Node; `kafka` (files ending in .kafka.test.ts) needs the local stack. */
import { configDefaults, defineConfig } from 'vitest/config';

const KAFKA_TESTS = 'test/**/*.kafka.test.ts';

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, KAFKA_TESTS],
          // Ends what hangs; how long anything takes is no test's business on a machine that others use too.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'kafka',
          include: [KAFKA_TESTS],
          // They share one small broker: side by side they would only take longer, and time out.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
