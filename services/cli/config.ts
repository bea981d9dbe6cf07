/** The command line's options that have a name in the environment too. Not here: what single commands take. */
import { defineConfig, text, type Values } from '../platform/config.ts';
import { CONNECTION_OPTIONS } from '../platform/connection-config.ts';
import { JOIN_OPTIONS } from '../platform/join/limits-config.ts';

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  decider: {
    env: 'CROUPIER_DECIDER_URL',
    type: text(),
    default: 'http://127.0.0.1:8080',
    unit: 'url',
    doc: "The decider's HTTP interface, for decide, reward and stats",
  },
  deciderToken: {
    env: 'CROUPIER_DECIDER_TOKEN',
    type: text(),
    default: null,
    doc: 'Bearer token that the decider asks for',
    secret: true,
  },
} as const;

/** The learners' limits, which decide how long topics must keep what and how much of a unit is learned from. */
export const LIMITS_CONFIG = defineConfig(JOIN_OPTIONS);

export const CLI_CONFIG = defineConfig(OPTIONS);
export type CliValues = Values<typeof OPTIONS>;
