import { expect, it } from 'vitest';
import { createLogger, type LogLevel } from '../../../services/platform/logging.ts';

function logged(level: LogLevel, write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLogger({ name: 'learner', level, to: { write: (line) => void lines.push(line) } }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('a log line is JSON with service, level and time', () => {
  const [line] = logged('info', (logger) => logger.info({ partition: 3 }, 'assigned'));
  expect(line).toMatchObject({ name: 'learner', level: 'info', partition: 3, msg: 'assigned' });
  expect(line?.time).toMatch(/^\d{4}-\d{2}-\d{2}T.*Z$/);
});

it('what is below the level is not logged', () => {
  const lines = logged('warn', (logger) => {
    logger.info('quiet');
    logger.warn('loud');
  });
  expect(lines.map(({ msg }) => msg)).toEqual(['loud']);
});

it('neither secrets nor the context of a request reach the log', () => {
  const fields = {
    password: 's3cret',
    request: { context: { age: 's3cret' }, token: 's3cret', features: ['s3cret'], unit: 'u' },
  };
  const [line] = logged('info', (logger) => logger.info(fields, 'x'));
  expect(JSON.stringify(line)).not.toContain('s3cret');
  expect(line).toMatchObject({ password: '(hidden)', request: { unit: 'u' } });
});
