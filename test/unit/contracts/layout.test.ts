import { describe, expect, it } from 'vitest';
import { parseExperimentFile } from '../../../services/contracts/experiment-file.ts';
import { Invalid } from '../../../services/core/errors.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { allPolicies } from '../../../services/core/policies/registry.ts';

const HEAD = `id: page
policy: { kind: bayesian-logistic }
reward: { metrics: { buy: { fold: max } }, min: 0, max: 1 }
attribution: { window: 1d }
`;
const CONTEXT = `context:
  - { name: country, kind: category, values: [BR, DE] }
  - { name: returning, kind: boolean }
`;
const LAYOUT = `layout:
  aspects:
    - { name: headline, variants: [plain, question] }
    - { name: image, variants: [none, product, people] }
  crosses: [[headline, image], [country, image]]
`;

function parse(text: string): Experiment {
  return parseExperimentFile('e.yaml', text, allPolicies())[0]!;
}

function problems(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof Invalid)
      return error.message.split('\n').map((line) => line.replace(/^e\.yaml:\d+:\d+: /, ''));
    throw error;
  }
  return [];
}

describe('a layout', () => {
  it('makes an arm of every combination of variants, the last aspect changing fastest', () => {
    const { arms, layout, fallbackArmId } = parse(HEAD + CONTEXT + LAYOUT);
    expect(arms.map(({ id }) => id)).toEqual([
      'plain/none',
      'plain/product',
      'plain/people',
      'question/none',
      'question/product',
      'question/people',
    ]);
    expect(layout?.crosses).toEqual([
      ['headline', 'image'],
      ['country', 'image'],
    ]);
    expect(fallbackArmId).toBe('plain/none');
  });

  it('needs neither a context nor crosses, and any other policy may learn from it too', () => {
    const { layout, context, policies } =
      parse(`${HEAD.replace('policy: { kind: bayesian-logistic }', 'policies: [{ kind: beta-ts }, { kind: bayesian-logistic }]')}
layout: { aspects: [{ name: button, variants: [red, green] }] }`);
    expect(context).toEqual([]);
    expect(layout).toEqual({ aspects: [{ name: 'button', variants: ['red', 'green'] }], crosses: [] });
    expect(policies.map(({ kind }) => kind)).toEqual(['beta-ts', 'bayesian-logistic']);
  });

  it('may have as many as 10,000 arms', () => {
    const variants = JSON.stringify(Array.from({ length: 10 }, (_, variant) => `v${variant}`));
    const aspects = ['a', 'b', 'c', 'd'].map((name) => `    - { name: ${name}, variants: ${variants} }\n`).join('');
    expect(parse(`${HEAD}layout:\n  aspects:\n${aspects}`).arms).toHaveLength(10_000);
  });
});

describe('a wrong layout is refused by name', () => {
  const layout = (aspects: string, crosses = '') =>
    `${HEAD}${CONTEXT}layout: { aspects: ${aspects}${crosses && `, crosses: ${crosses}`} }\n`;
  const TWO = '[{ name: a, variants: [x, y] }, { name: b, variants: [x, y] }]';

  it.each([
    [
      'one variant',
      layout('[{ name: a, variants: [x] }]'),
      ['layout.aspects[0].variants: ["x"], one variant leaves no choice, allowed are 2 or more'],
    ],
    [
      'a variant twice',
      layout('[{ name: a, variants: [x, x] }]'),
      ['layout.aspects[0].variants[1]: "x", stands twice, allowed once'],
    ],
    [
      'a variant with a slash',
      layout('[{ name: a, variants: [x/y, z] }]'),
      [
        'layout.aspects[0].variants[0]: "x/y", allowed is text without /, which stands between variants in the names of arms',
      ],
    ],
    [
      'an aspect twice',
      layout('[{ name: a, variants: [x, y] }, { name: a, variants: [x, y] }]'),
      ['layout.aspects[1].name: "a", stands twice, allowed once'],
    ],
    [
      'an aspect with the name of a feature',
      layout('[{ name: country, variants: [x, y] }]'),
      ['layout.aspects[0].name: "country", is a feature of the context too; crosses could not tell them apart'],
    ],
    [
      'an unknown cross',
      layout(TWO, '[[a, countri]]'),
      [
        'layout.crosses[0][1]: "countri", unknown aspect or feature of the context, did you mean country? (allowed: a, b, country, returning)',
      ],
    ],
    [
      'a cross of two features',
      layout(TWO, '[[country, returning]]'),
      [
        'layout.crosses[0]: ["country","returning"], allowed are two aspects, or an aspect and a feature of the context',
      ],
    ],
    [
      'a cross with itself',
      layout(TWO, '[[a, a]]'),
      ['layout.crosses[0]: ["a","a"], allowed are two aspects, or an aspect and a feature of the context'],
    ],
    ['a cross twice', layout(TWO, '[[a, b], [b, a]]'), ['layout.crosses[1]: ["b","a"], stands twice, allowed once']],
    [
      'three in a cross',
      layout(TWO, '[[a, b, country]]'),
      ['layout.crosses[0]: ["a","b","country"], allowed is a list of 2 to 2'],
    ],
    ['no aspect', layout('[]'), ['layout.aspects: [], allowed is a list of 1 to 20']],
    ['arms beside it', `${HEAD}${CONTEXT}${LAYOUT}arms: [x, y]\n`, ['arms: ["x","y"], give either arms or layout']],
    [
      'neither',
      HEAD + CONTEXT,
      [
        'arms: missing, give either arms or layout',
        'policy.kind: "bayesian-logistic", learns what variants do, but arms are named one by one; declare a layout in place of arms',
      ],
    ],
    [
      'a cost',
      `${HEAD.replace('max: 1 }', 'max: 1, value: metric.buy - arm.price }')}${LAYOUT.replace(', [country, image]', '')}`,
      ['reward.value: "metric.buy - arm.price", unknown name arm.price (allowed: metric.buy)'],
    ],
    [
      'a fallback that is no arm',
      `${HEAD}${CONTEXT}${LAYOUT}fallback: plain/nothing\n`,
      [
        'fallback: "plain/nothing", unknown active arm (allowed: plain/none, plain/product, plain/people, question/none, question/product, question/people)',
      ],
    ],
  ])('%s', (_what, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  it('with numbers in the context, which have no patterns to count', () => {
    const numbers = 'context:\n  - { name: age, kind: number }\n';
    expect(
      problems(`${HEAD.replace('bayesian-logistic', 'beta-ts')}${numbers}${LAYOUT.replace(', [country, image]', '')}`),
    ).toEqual([
      'context[0]: {"name":"age","kind":"number"}, layouts learn by pattern of the context, but age is a number; declare ranges as a category',
    ]);
  });

  it('with too many layouts, before they are made', () => {
    const variants = JSON.stringify(Array.from({ length: 100 }, (_, variant) => `v${variant}`));
    const aspects = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(
      (name) => `    - { name: ${name}, variants: ${variants} }\n`,
    );
    const [problem, ...others] = problems(`${HEAD}layout:\n  aspects:\n${aspects.join('')}`);
    expect(problem).toMatch(/makes 100000000000000 layouts, allowed 10000$/);
    expect(others).toEqual([]);
  });

  it('with more patterns than are worth counting', () => {
    const buckets =
      'context:\n  - { name: campaign, kind: hash, buckets: 900 }\n  - { name: site, kind: hash, buckets: 90 }\n';
    expect(problems(`${HEAD}${buckets}${LAYOUT.replace(', [country, image]', '')}`)[0]).toMatch(
      /makes 6 layouts, and the context has 81000 patterns: 486000 counts, allowed 200000; declare fewer/,
    );
  });
});
