import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { DECIDER_CONFIG, deciderSettings } from '../../../services/decider/config.ts';
import { DEFAULT_SETTINGS } from '../../../services/decider/start.ts';
import { optionsFor } from '../../../services/platform/config.ts';

function parse(flags: Record<string, string>) {
  return deciderSettings(DECIDER_CONFIG.parse({ env: {}, flags }));
}

describe("the decider's configuration", () => {
  it('has the defaults that a decider put together in code has', () => {
    expect(parse({})).toEqual(DEFAULT_SETTINGS);
  });

  it('refuses a certificate without its key, and files that are not there', () => {
    expect(() => parse({ tlsCert: 'cert.pem' })).toThrow('--tls-cert and --tls-key go together');
    expect(() => parse({ tlsCert: '/none.pem', tlsKey: '/none.pem' })).toThrow('--tls-cert: ENOENT');
  });

  it('never shows the token, nor a password for Redis', () => {
    const env = { CROUPIER_DECIDER_TOKEN: 'hush', REDIS_URL: 'redis://:hush@127.0.0.1' };
    const values = DECIDER_CONFIG.parse({ env, flags: {} });
    expect(values.token).toBe('hush');
    expect(JSON.stringify(DECIDER_CONFIG.redacted(values))).not.toContain('hush');
  });

  it('is told in full by --help', async () => {
    const command = optionsFor(new Command('decider').configureHelp({ helpWidth: 120 }), DECIDER_CONFIG);
    await expect(command.helpInformation()).toMatchFileSnapshot('decider-help.txt');
  });
});
