/**
 * Configuration is documented data: every option has a type, a default, a unit where there is one, a text, a name in the
 * environment and a flag. Flags win over the environment, the environment over defaults; a wrong value is refused, never
 * repaired. Not here: which options a service has (its config.ts).
 */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { formatDuration, parseDuration } from '../contracts/duration.ts';
import { Invalid } from '../core/errors.ts';

export interface OptionSpec<T, Default extends string | null> {
  /** Such as CROUPIER_BROKERS. */
  readonly env: string;
  /** From text; its description says what is allowed. */
  readonly type: z.ZodType<T, string>;
  /** As one would write it; `null` when the option may be absent, and is `null` then. */
  readonly default: Default;
  readonly unit?: string;
  readonly doc: string;
  /** Heading in the help, which comes after all that has none. */
  readonly group?: string;
  /** Never shown: not in messages, not in logs. */
  readonly secret?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: stands for any type of value; `unknown` would refuse every transform.
type Specs = Readonly<Record<string, OptionSpec<any, string | null>>>;

export type Values<S extends Specs> = {
  readonly [Name in keyof S]: z.output<S[Name]['type']> | (S[Name]['default'] extends null ? null : never);
};

export interface Config<S extends Specs> {
  readonly specs: S;
  /**
   * @param flags values by option name, as commander collects them.
   * @throws Invalid `config` listing every wrong value with its option and what is allowed.
   */
  parse(sources: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly flags: Readonly<Record<string, unknown>>;
  }): Values<S>;
  /** @returns the values as texts fit for a log. */
  redacted(values: Values<S>): Readonly<Record<string, unknown>>;
}

export function defineConfig<const S extends Specs>(specs: S): Config<S> {
  return {
    specs,
    parse({ env, flags }) {
      const problems: string[] = [];
      const values = Object.entries(specs).map(([name, spec]) => {
        const { text, from } = given(name, spec, env, flags);
        if (text === null) return [name, null];
        const result = spec.type.safeParse(text);
        if (!result.success) {
          const shown = spec.secret ? '(hidden)' : JSON.stringify(text);
          problems.push(`${from}: ${shown}, allowed is ${spec.type.description}`);
        }
        return [name, result.data];
      });
      if (problems.length > 0) throw new Invalid('config', problems.join('\n'));
      return Object.fromEntries(values) as Values<S>;
    },
    redacted(values) {
      const entries = Object.entries(values).map(([name, value]) => [
        name,
        specs[name]?.secret && value !== null ? '(hidden)' : value,
      ]);
      return Object.fromEntries(entries);
    },
  };
}

/** Adds one flag for each option, with help that states type, default, unit and environment name. */
export function optionsFor<S extends Specs>(command: Command, config: Config<S>): Command {
  const specs = Object.entries(config.specs);
  for (const [name, spec] of [...specs.filter(([, { group }]) => !group), ...specs.filter(([, { group }]) => group)]) {
    const option = new Option(`${flagOf(name)} <${spec.unit ?? 'value'}>`, help(spec));
    command.addOption(spec.group === undefined ? option : option.helpGroup(spec.group));
  }
  return command;
}

/** @returns the same options under one heading. */
export function inGroup<const S extends Specs>(group: string, specs: S): S {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, { ...spec, group }])) as unknown as S;
}

/** Text as it is. */
export function text(): z.ZodType<string, string> {
  return z.string().min(1).max(4_000).describe('text of 1 to 4000 characters');
}

/** @returns a list split at commas; at least one entry, none empty. */
export function list(): z.ZodType<readonly string[], string> {
  return z
    .string()
    .transform((value) => value.split(',').map((entry) => entry.trim()))
    .pipe(z.array(z.string().min(1)))
    .describe('a list separated by commas');
}

export function integer({ min, max }: { readonly min: number; readonly max: number }): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .describe(`a whole number from ${min} to ${max}`);
}

export function number({ min, max }: { readonly min: number; readonly max: number }): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .describe(`a number from ${min} to ${max}`);
}

export function flag(): z.ZodType<boolean, string> {
  return z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .describe('true or false');
}

export function choice<const T extends string>(...options: readonly [T, ...T[]]): z.ZodType<T, string> {
  return z
    .string()
    .pipe(z.enum(options))
    .describe(`one of ${options.join(', ')}`) as z.ZodType<T, string>;
}

/** @returns milliseconds. */
export function duration({
  minMs,
  maxMs,
}: {
  readonly minMs: number;
  readonly maxMs: number;
}): z.ZodType<number, string> {
  return z
    .string()
    .transform((value) => parseDuration(value) ?? Number.NaN)
    .pipe(z.number().min(minMs).max(maxMs))
    .describe(`a duration such as 30s, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`);
}

function given(
  name: string,
  spec: OptionSpec<unknown, string | null>,
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, unknown>>,
): { readonly text: string | null; readonly from: string } {
  const flagged = flags[name];
  if (flagged !== undefined) return { text: String(flagged), from: flagOf(name) };
  const set = env[spec.env];
  // Compose files pass variables that are not set as empty.
  if (set !== undefined && set !== '') return { text: set, from: spec.env };
  return { text: spec.default, from: `default of ${flagOf(name)}` };
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function help({ type, default: byDefault, unit, doc, env, secret }: OptionSpec<unknown, string | null>): string {
  const facts = [
    type.description,
    ...(unit === undefined ? [] : [`in ${unit}`]),
    byDefault === null ? 'not set by default' : `default ${secret ? '(hidden)' : byDefault}`,
    `env ${env}`,
  ];
  return `${doc} (${facts.join('; ')})`;
}
