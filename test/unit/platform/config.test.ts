import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  choice,
  defineConfig,
  duration,
  flag,
  integer,
  list,
  number,
  optionsFor,
  text,
} from '../../../services/platform/config.ts';

const config = defineConfig({
  brokers: { env: 'CROUPIER_BROKERS', type: list(), default: '127.0.0.1:9092', doc: 'Addresses of the brokers.' },
  pollRecordsMax: {
    env: 'CROUPIER_POLL_RECORDS_MAX',
    type: integer({ min: 1, max: 10_000 }),
    default: '500',
    unit: 'records',
    doc: 'Largest batch.',
  },
  grace: {
    env: 'CROUPIER_GRACE',
    type: duration({ minMs: 0, maxMs: 86_400_000 }),
    default: '1h',
    doc: 'Lateness that is waited for.',
  },
  share: { env: 'CROUPIER_SHARE', type: number({ min: 0, max: 1 }), default: '0.5', doc: 'A share.' },
  overflow: {
    env: 'CROUPIER_OVERFLOW',
    type: choice('fallback', 'drop'),
    default: 'fallback',
    doc: 'When the buffer is full.',
  },
  verbose: { env: 'CROUPIER_VERBOSE', type: flag(), default: 'false', doc: 'Say more.' },
  password: { env: 'CROUPIER_PASSWORD', type: text(), default: null, secret: true, doc: 'For the brokers.' },
});

const parse = (env: Record<string, string>, flags: Record<string, unknown> = {}) => config.parse({ env, flags });

describe('configuration', () => {
  it('has its defaults, typed', () => {
    expect(parse({})).toEqual({
      brokers: ['127.0.0.1:9092'],
      pollRecordsMax: 500,
      grace: 3_600_000,
      share: 0.5,
      overflow: 'fallback',
      verbose: false,
      password: null,
    });
  });

  it('takes the environment before defaults and flags before the environment; empty is not set', () => {
    expect(parse({ CROUPIER_GRACE: '5m', CROUPIER_SHARE: '' })).toMatchObject({ grace: 300_000, share: 0.5 });
    expect(parse({ CROUPIER_GRACE: '5m' }, { grace: '7s' }).grace).toBe(7_000);
  });

  it('refuses every wrong value by option, value and what is allowed', () => {
    const env = {
      CROUPIER_POLL_RECORDS_MAX: '1e3',
      CROUPIER_SHARE: '1.5',
      CROUPIER_OVERFLOW: 'block',
      CROUPIER_VERBOSE: 'yes',
      CROUPIER_BROKERS: 'a:1,,b:2',
    };
    const refused = () => parse(env, { grace: '90' });
    expect(refused).toThrow(
      expect.objectContaining({
        code: 'config',
        message: [
          'CROUPIER_BROKERS: "a:1,,b:2", allowed is a list separated by commas',
          'CROUPIER_POLL_RECORDS_MAX: "1e3", allowed is a whole number from 1 to 10000',
          '--grace: "90", allowed is a duration such as 30s, from 0ms to 1d',
          'CROUPIER_SHARE: "1.5", allowed is a number from 0 to 1',
          'CROUPIER_OVERFLOW: "block", allowed is one of fallback, drop',
          'CROUPIER_VERBOSE: "yes", allowed is true or false',
        ].join('\n'),
      }),
    );
  });

  it.each(['0', '10001', '1.0', 'NaN', ' 1'])('refuses the whole number %j', (value) => {
    expect(() => parse({ CROUPIER_POLL_RECORDS_MAX: value })).toThrow(/allowed is a whole number from 1 to 10000/);
  });

  it('never shows a secret', () => {
    const secret = 's3cret'.repeat(1_000);
    expect(() => parse({ CROUPIER_PASSWORD: secret })).toThrow(/^CROUPIER_PASSWORD: \(hidden\), allowed is text/);
    expect(config.redacted(parse({ CROUPIER_PASSWORD: 's3cret' }))).toMatchObject({ password: '(hidden)', share: 0.5 });
    expect(config.redacted(parse({}))).toMatchObject({ password: null });
  });

  it('is what --help says', () => {
    const command = optionsFor(new Command('sample').configureOutput({ getOutHelpWidth: () => 100 }), config);
    expect(`\n${command.helpInformation()}`).toMatchInlineSnapshot(`
      "
      Usage: sample [options]

      Options:
        --brokers <value>             Addresses of the brokers. (a list separated by commas; default
                                      127.0.0.1:9092; env CROUPIER_BROKERS)
        --poll-records-max <records>  Largest batch. (a whole number from 1 to 10000; in records; default
                                      500; env CROUPIER_POLL_RECORDS_MAX)
        --grace <value>               Lateness that is waited for. (a duration such as 30s, from 0ms to
                                      1d; default 1h; env CROUPIER_GRACE)
        --share <value>               A share. (a number from 0 to 1; default 0.5; env CROUPIER_SHARE)
        --overflow <value>            When the buffer is full. (one of fallback, drop; default fallback;
                                      env CROUPIER_OVERFLOW)
        --verbose <value>             Say more. (true or false; default false; env CROUPIER_VERBOSE)
        --password <value>            For the brokers. (text of 1 to 4000 characters; not set by default;
                                      env CROUPIER_PASSWORD)
        -h, --help                    display help for command
      "
    `);
  });

  it('comes from the flags that commander collects', () => {
    const command = optionsFor(new Command('sample'), config);
    command.parse(['--poll-records-max', '7', '--verbose', 'true'], { from: 'user' });
    expect(parse({}, command.opts())).toMatchObject({ pollRecordsMax: 7, verbose: true });
  });
});
