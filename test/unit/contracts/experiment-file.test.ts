import { describe, expect, it } from 'vitest';
import { type PolicyDescription, parseExperimentFile } from '../../../services/contracts/experiment-file.ts';
import { Invalid } from '../../../services/core/errors.ts';
import { rewardSpec } from '../../support/reward-spec.ts';

const policies: readonly PolicyDescription[] = [
  {
    kind: 'beta-ts',
    contextual: false,
    parameters: [
      { name: 'alpha', default: 1, min: 0.001, max: 1_000, doc: 'Prior successes.' },
      { name: 'beta', default: 2, min: 0.001, max: 1_000, doc: 'Prior failures.' },
    ],
  },
  { kind: 'ucb1', contextual: false, parameters: [] },
  { kind: 'linucb', contextual: true, parameters: [] },
  { kind: 'pucb', contextual: true, indicatorsOnly: true, parameters: [] },
];

const parse = (text: string) => parseExperimentFile('e.yaml', text, policies);

function problems(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof Invalid) return error.message.split('\n');
    throw error;
  }
  return [];
}

const FULL = `
id: coupon
arms:
  - id: A1
    attributes: { cost: 35 }
  - { id: A2, state: retired, attributes: { cost: 0 } }
policy: { kind: beta-ts, alpha: 3 }
floor: 0.05
fallback: A1
slots: 2
holdout: { share: 0.1, arm: A1 }
context:
  - { name: is_high_value, kind: boolean }
  - { name: region, kind: category, values: [CN, US, SEA] }
  - { name: age, kind: number, mean: 40, scale: 15 }
  - { name: campaign, kind: hash, buckets: 8 }
  - { name: value_by_region, kind: cross, of: [is_high_value, region] }
reward: { metrics: { ltv: { fold: last }, ltv-d7: { fold: max, default: 1.5 } }, value: 'metric.ltv + metric["ltv-d7"] - arm.cost * context.is_high_value - context.age / 10', min: 0, max: 250, delay: labelled }
attribution: { model: last-touch, window: 30d }
cohort: 12h
forgetting: { halfLife: 7d }
pendingExposure: false
`;

const SHORT = `
id: buttons
arms: [red, green]
policies: [{ kind: ucb1 }, { kind: beta-ts }]
reward: { metrics: { clicks: { fold: max } }, min: 0, max: 1 }
attribution: { window: 90s }
`;

/** The short file, or another, with one section in place of its own. */
function withSection(section: string, file = SHORT): string {
  const key = section.slice(0, section.indexOf(':') + 1);
  const lines = file.trim().split('\n');
  return lines.some((line) => line.startsWith(key))
    ? lines.map((line) => (line.startsWith(key) ? section : line)).join('\n')
    : [...lines, section].join('\n');
}

describe('an experiment file', () => {
  it('says everything that a definition has', () => {
    expect(parse(FULL)).toEqual([
      {
        id: 'coupon',
        version: 1,
        state: 'active',
        arms: [
          { id: 'A1', state: 'active', sinceVersion: 1, attributes: new Map([['cost', 35]]) },
          { id: 'A2', state: 'retired', sinceVersion: 1, attributes: new Map([['cost', 0]]) },
        ],
        layout: null,
        policies: [
          {
            kind: 'beta-ts',
            parameters: new Map([
              ['alpha', 3],
              ['beta', 2],
            ]),
          },
        ],
        floor: 0.05,
        fallbackArmId: 'A1',
        slots: 2,
        holdout: { share: 0.1, armId: 'A1' },
        context: [
          { kind: 'boolean', name: 'is_high_value' },
          { kind: 'category', name: 'region', values: ['CN', 'US', 'SEA'] },
          { kind: 'number', name: 'age', mean: 40, scale: 15 },
          { kind: 'hash', name: 'campaign', buckets: 8 },
          { kind: 'cross', name: 'value_by_region', of: ['is_high_value', 'region'] },
        ],
        reward: rewardSpec({
          metrics: { ltv: { fold: 'last' }, 'ltv-d7': { fold: 'max', default: 1.5 } },
          value: 'metric.ltv + metric["ltv-d7"] - arm.cost * context.is_high_value - context.age / 10',
          max: 250,
          delay: 'labelled',
        }),
        attribution: { model: 'last-touch', windowMs: 30 * 86_400_000 },
        cohortMs: 12 * 3_600_000,
        forgetting: { kind: 'half-life', spanMs: 7 * 86_400_000, sinceVersion: 1 },
        prior: [],
        pendingExposure: false,
        promotion: null,
        appliedAtMs: [],
      },
    ]);
  });

  it('may be short: the rest has defaults', () => {
    const [experiment] = parse(SHORT);
    expect(experiment).toMatchObject({
      arms: [{ id: 'red' }, { id: 'green' }],
      policies: [{ kind: 'ucb1' }, { kind: 'beta-ts' }],
      floor: 0.01,
      fallbackArmId: 'red',
      context: [],
      reward: {
        metrics: new Map([['clicks', { fold: 'max', default: 0 }]]),
        value: { text: 'metric.clicks' },
        delay: 'impute',
      },
      attribution: { model: 'last-touch', windowMs: 90_000 },
      cohortMs: 86_400_000,
      forgetting: null,
      prior: [],
      pendingExposure: true,
    });
  });

  it('may define several experiments, each once', () => {
    expect(parse(`${FULL}---${SHORT}`).map(({ id }) => id)).toEqual(['coupon', 'buttons']);
    expect(problems(`${SHORT}---${SHORT}`)).toEqual(['e.yaml:8:5: id: "buttons", already defined above in this file']);
  });

  it('falls back on the first arm that is active', () => {
    expect(parse(withSection('arms: [{ id: red, state: retired }, green]'))[0]?.fallbackArmId).toBe('green');
  });
});

describe('a wrong experiment file', () => {
  it('is refused with all its problems, each by line and column', () => {
    const wrong = `idd: coupon
arms:
  - id: 35
    atributes: { cost: 35 }
policy: { kind: beta-tss }
floor: 2
context:
  - { name: age, kind: number, scale: 0 }
reward: { metrics: { ltv: { fold: lst } }, min: 0, delay: imputed, cost: cost }
attribution: { window: 30 }
cohort: 1x`;
    expect(problems(wrong)).toEqual([
      'e.yaml:1:1: idd, unknown key, did you mean id? (allowed: id, arms, layout, policy, policies, floor, fallback, slots, holdout, context, reward, attribution, cohort, forgetting, pendingExposure)',
      'e.yaml:1:1: id: missing, allowed is text of 1 to 200 characters (in quotes if it looks like a number)',
      'e.yaml:3:9: arms[0].id: 35, allowed is text of 1 to 200 characters (in quotes if it looks like a number)',
      'e.yaml:4:5: arms[0].atributes, unknown key, did you mean attributes? (allowed: id, state, attributes)',
      'e.yaml:6:8: floor: 2, allowed is a finite number from 0 to 1',
      'e.yaml:8:39: context[0].scale: 0, allowed is a finite number above 0',
      'e.yaml:9:35: reward.metrics.ltv.fold: "lst", allowed are sum, max, min, first, last, mean',
      'e.yaml:9:9: reward.max: missing, allowed is a finite number',
      'e.yaml:9:59: reward.delay: "imputed", allowed are impute, labelled, mature, delay-corrected',
      'e.yaml:9:68: reward.cost, unknown key (allowed: metrics, value, min, max, delay)',
      'e.yaml:10:24: attribution.window: 30, allowed is a duration from 1ms to 400d, such as 30d, 12h, 90s or 500ms',
      'e.yaml:11:9: cohort: "1x", allowed is a duration from 1s to 400d, such as 30d, 12h, 90s or 500ms',
      'e.yaml:5:17: policy.kind: "beta-tss", unknown policy, did you mean beta-ts? (allowed: beta-ts, ucb1, linucb, pucb)',
    ]);
  });

  const sections: readonly (readonly [string, string, string])[] = [
    ['without arms', 'arms: []', 'arms: [], allowed is a list of 1 to 10000'],
    ['with an arm twice', 'arms: [a, b, a]', 'arms[2]: "a", stands twice, allowed once'],
    ['with only retired arms', 'arms: [{ id: a, state: retired }]', 'at least one must be active'],
    ['with a fallback that is no arm', 'fallback: gren', 'fallback: "gren", unknown active arm, did you mean green?'],
    ['with a holdout of most units', 'holdout: { share: 0.6, arm: red }', 'allowed is a finite number from 0 to 0.5'],
    [
      'with a holdout that is no arm',
      'holdout: { share: 0.1, arm: gren }',
      'holdout.arm: "gren", unknown active arm, did you mean green?',
    ],
    ['with too many slots', 'slots: 21', 'slots: 21, allowed is a whole number from 1 to 20'],
    ['with a floor that is no number', 'floor: .nan', 'floor: NaN, allowed is a finite number from 0 to 1'],
    ['with a policy parameter of another', 'policies: [{ kind: ucb1, alpha: 1 }]', 'policies[0].alpha, unknown key'],
    [
      'with a policy parameter out of range',
      'policies: [{ kind: beta-ts, beta: 0 }]',
      'policies[0].beta: 0, allowed is a number from 0.001 to 1000',
    ],
    [
      'with a policy parameter that is no number',
      'policies: [{ kind: beta-ts, beta: x }]',
      'policies[0].beta: "x", allowed is a number',
    ],
    ['with policy and policies', 'policy: { kind: ucb1 }', 'give either policy or policies'],
    ['without policies', 'policies: []', 'policies: [], allowed is a list of 1 to 100'],
    [
      'with a value that mistypes a name',
      'reward: { metrics: { clicks: { fold: sum } }, min: 0, max: 1, value: 2 * metric.click }',
      'reward.value: "2 * metric.click", unknown name metric.click, did you mean metric.clicks? (allowed: metric.clicks)',
    ],
    [
      'with a value that does not read a metric',
      'reward: { metrics: { m: { fold: sum }, idle: { fold: sum } }, min: 0, max: 1, value: metric.m }',
      'does not read metric idle; read it or leave it out',
    ],
    [
      'with two metrics and no value',
      'reward: { metrics: { m: { fold: sum }, more: { fold: sum } }, min: 0, max: 1 }',
      'reward.value: missing, allowed is a formula over m, more',
    ],
    [
      'with a value that is no formula',
      'reward: { metrics: { m: { fold: sum } }, min: 0, max: 1, value: exp(metric.m) }',
      'function exp is unknown, allowed are abs min max clamp',
    ],
    [
      'that corrects for delays of several metrics',
      'reward: { metrics: { m: { fold: max }, more: { fold: max } }, value: metric.m + metric.more, min: 0, max: 2, delay: delay-corrected }',
      'reward.delay: "delay-corrected", allowed with one metric, there are 2; take mature',
    ],
    [
      'that corrects for delays of a reward that goes on growing',
      'reward: { metrics: { m: { fold: sum } }, min: 0, max: 1, delay: delay-corrected }',
      'allowed with the folds first, max, as what follows a first reward is not corrected for; m has sum',
    ],
    [
      'that corrects for delays of what costs something at once',
      'reward: { metrics: { m: { fold: max } }, value: metric.m - 0.25, min: -1, max: 1, delay: delay-corrected }',
      "allowed where no reward is worth min, -1; an arm's is worth -0.25",
    ],
    ['with no metric', 'reward: { metrics: {}, min: 0, max: 1 }', 'reward.metrics: {}, allowed are 1 to 20 metrics'],
    [
      'with min at max',
      'reward: { metrics: { m: { fold: sum } }, min: 1, max: 1 }',
      'reward.min: 1, must be below max 1',
    ],
    [
      'with a feature twice',
      'context: [{ name: a, kind: boolean }, { name: a, kind: number }]',
      'context[1].name: "a", stands twice',
    ],
    [
      'with a category value twice',
      'context: [{ name: a, kind: category, values: [x, x] }]',
      'context[0].values[1]: "x", stands twice',
    ],
    [
      'with a feature of unknown kind',
      'context: [{ name: a, kind: bolean }]',
      'context[0].kind: "bolean", allowed are boolean, number, category, hash, cross',
    ],
    [
      'with a hash of too few buckets',
      'context: [{ name: a, kind: hash, buckets: 1 }]',
      'context[0].buckets: 1, allowed is a whole number from 2 to 999',
    ],
    [
      'with a cross of a feature that is not declared',
      'context: [{ name: flag, kind: boolean }, { name: ab, kind: cross, of: [flag, flagg] }]',
      'e.yaml:6:78: context[1].of[1]: "flagg", unknown boolean or category of the context, did you mean flag?',
    ],
    [
      'with a cross of a number',
      'context: [{ name: a, kind: boolean }, { name: n, kind: number }, { name: an, kind: cross, of: [a, n] }]',
      'context[2].of[1]: "n", unknown boolean or category of the context (allowed: a)',
    ],
    [
      'with a cross of a feature with itself',
      'context: [{ name: a, kind: boolean }, { name: aa, kind: cross, of: [a, a] }]',
      'context[1].of[1]: "a", stands twice',
    ],
    [
      'with a contextual policy and no context',
      'policies: [{ kind: ucb1 }, { kind: linucb }]',
      'e.yaml:3:36: policies[1].kind: "linucb", learns from a context, but none is declared',
    ],
    [
      'with a policy of portraits and a number',
      'policies: [{ kind: pucb }]\ncontext: [{ name: a, kind: boolean }, { name: age, kind: number }]',
      'e.yaml:3:20: policies[0].kind: "pucb", learns from features that are 0 or 1, but age is a number',
    ],
    ['with a switch that is no yes or no', 'pendingExposure: 1', 'pendingExposure: 1, allowed are true and false'],
    ['with no window', 'attribution: {}', 'attribution.window: missing, allowed is a duration'],
    [
      'with a key that would reach the prototype',
      '__proto__: { x: 1 }',
      'key "__proto__", allowed is text other than __proto__',
    ],
    ['with a key twice', 'arms: [a]\narms: [b]', 'Map keys must be unique'],
    ['with an id of control characters', 'id: "a\\u0007"', 'allowed is text of 1 to 200 characters'],
  ];
  it.each(sections)('is refused %s', (_, section, problem) => {
    expect(problems(withSection(section)).join('\n')).toContain(problem);
  });

  it('is refused where its value reads an attribute that an arm lacks, or a category', () => {
    const arms = 'arms: [{ id: red, attributes: { price: 1, cost: 2 } }, { id: green, attributes: { cost: 3 } }]';
    const context = 'context: [{ name: a, kind: category, values: [x] }, { name: b, kind: number }]';
    const reading = (value: string) =>
      problems(
        withSection(
          `reward: { metrics: { m: { fold: sum } }, min: 0, max: 1, value: ${value} }`,
          withSection(context, withSection(arms)),
        ),
      ).join();
    expect(reading('metric.m - arm.cost * context.b')).toBe('');
    const allowed = '(allowed: metric.m, arm.cost, context.b)';
    expect(reading('metric.m - arm.price')).toContain(`unknown name arm.price ${allowed}`);
    expect(reading('metric.m * context.a')).toContain(`unknown name context.a, did you mean context.b? ${allowed}`);
  });

  it('is refused where it corrects for delays of a value that reads the context or what arms cost, and only then', () => {
    const arms = 'arms: [{ id: red, attributes: { cost: 2 } }, { id: green, attributes: { cost: 3 } }]';
    const file = withSection('context: [{ name: a, kind: boolean }]', withSection(arms));
    const worth = (value: string) =>
      problems(
        withSection(
          `reward: { metrics: { m: { fold: max } }, min: 0, max: 1, value: ${value}, delay: delay-corrected }`,
          file,
        ),
      ).join();
    expect(worth('metric.m / 2')).toBe('');
    expect(worth('metric.m * arm.cost')).toBe('');
    expect(worth('metric.m * context.a')).toContain('do not read the context; it reads context.a');
    expect(worth('metric.m - arm.cost')).toContain("where no reward is worth min, 0; an arm's is worth -2");
  });

  it('is refused beyond the limits, and accepted at them', () => {
    const arms = (count: number) =>
      withSection(`arms: [${Array.from({ length: count }, (_, i) => `a${i}`).join(', ')}]`);
    expect(problems(arms(10_000))).toEqual([]);
    expect(problems(arms(10_001))[0]).toContain('allowed is a list of 1 to 10000');
    const values = (count: number) =>
      withSection(
        `context: [{ name: c, kind: category, values: [${Array.from({ length: count }, (_, i) => `v${i}`).join(', ')}] }]`,
      );
    expect(problems(values(999))).toEqual([]);
    expect(problems(values(1_000))[0]).toContain('encodes to 1001 numbers, allowed 1000');
    const crossed = (count: number) =>
      withSection(
        `context: [{ name: f, kind: boolean }, { name: c, kind: category, values: [${Array.from({ length: count }, (_, i) => `v${i}`).join(', ')}] }, { name: fc, kind: cross, of: [f, c] }]`,
      );
    expect(problems(crossed(332))).toEqual([]);
    expect(problems(crossed(333))[0]).toContain('encodes to 1001 numbers, allowed 1000');
    expect(problems(`id: ${'x'.repeat(4_000_000)}`)[0]).toContain('characters, allowed 4000000');
  });

  it('is refused when it is no experiment at all', () => {
    expect(problems('')).toEqual(['e.yaml: no experiment in it']);
    expect(problems('- a')[0]).toContain('e.yaml:1:1: document: ["a"], allowed is a mapping');
    expect(problems('a: [1\nb: }')[0]).toMatch(/^e\.yaml:2:1: /);
  });

  it('is refused, and soon, when it is made to exhaust', () => {
    const aliases = [
      'a: &a [1,1,1,1,1,1,1,1,1,1]',
      ...'bcdefg'.split('').map((name, i) => `${name}: &${name} [${Array(10).fill(`*${'abcdef'[i]}`)}]`),
    ];
    expect(problems(aliases.join('\n'))[0]).toContain('Excessive alias count');
    const nested = problems('['.repeat(100_000));
    expect(nested[0]).toMatch(/^e\.yaml:1:\d+: /);
    expect(nested.length).toBeLessThanOrEqual(101);
  });
});
