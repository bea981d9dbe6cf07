import { expect, test } from 'vitest';
import { Invalid } from '../../../services/core/errors.ts';
import type { ArmId } from '../../../services/core/events.ts';
import type { Arm, Experiment } from '../../../services/core/experiment.ts';
import { candidateDefinition, deletedDefinition, nextDefinition } from '../../../services/core/experiment-change.ts';
import { experiment } from '../../support/core.ts';

const standing = experiment({ arms: arms('A', 'B'), appliedAtMs: [5] });

function arms(...ids: string[]): Arm[] {
  return ids.map((id) => ({ id: id as ArmId, state: 'active', sinceVersion: 1, attributes: new Map() }));
}

function wanted(overrides: Partial<Experiment>): Experiment {
  return experiment({ appliedAtMs: [], ...overrides });
}

test('what is the same already makes no new version, whatever the order of its keys', () => {
  expect(nextDefinition(standing, wanted({ arms: arms('A', 'B') }))).toBeNull();
  const { floor, ...rest } = wanted({ arms: arms('B', 'A') });
  expect(nextDefinition(standing, { floor, ...rest })).toBeNull();
  expect(nextDefinition(standing, wanted({ arms: arms('A', 'B'), floor: 0.1 }))).toMatchObject({ version: 2 });
});

test('an arm left out is retired, a new one comes last and says since when', () => {
  const next = nextDefinition(standing, wanted({ arms: arms('C', 'B'), fallbackArmId: 'B' as ArmId }))!;
  expect(next.arms.map(({ id, state, sinceVersion }) => `${id} ${state} ${sinceVersion}`)).toEqual([
    'A retired 1',
    'B active 1',
    'C active 2',
  ]);
  expect(next.appliedAtMs).toEqual([5]);
});

test('a retired arm comes back with the version that it was first defined in', () => {
  const retired = nextDefinition(standing, wanted({ arms: arms('B'), fallbackArmId: 'B' as ArmId }))!;
  const back = nextDefinition(retired, wanted({ arms: arms('A', 'B') }))!;
  expect(back).toMatchObject({ version: 3, arms: [{ id: 'A', state: 'active', sinceVersion: 1 }, { id: 'B' }] });
});

test('a change that would give the sums another meaning is refused', () => {
  expect(() => nextDefinition(standing, wanted({ arms: arms('A', 'B'), cohortMs: 51 }))).toThrow(Invalid);
});

test('the encoding of a feature cannot change', () => {
  const hashed = (buckets: number) => wanted({ context: [{ kind: 'hash', name: 'campaign', buckets }] });
  const before = { ...hashed(8), appliedAtMs: [5] };
  expect(nextDefinition(before, hashed(8))).toBeNull();
  expect(() => nextDefinition(before, hashed(16))).toThrow('context cannot change');
});

test('a deletion is a version too, and a second one is none', () => {
  const deleted = deletedDefinition(standing)!;
  expect(deleted).toMatchObject({ version: 2, state: 'deleted' });
  expect(deletedDefinition(deleted)).toBeNull();
});

test('forgetting says since which version, and keeps that when only its span changes', () => {
  const forgets = (spanMs: number) => ({ kind: 'half-life', spanMs, sinceVersion: 1 }) as const;
  const begun = nextDefinition(standing, wanted({ arms: arms('A', 'B'), forgetting: forgets(7) }))!;
  expect(begun).toMatchObject({ version: 2, forgetting: { spanMs: 7, sinceVersion: 2 } });
  const slower = nextDefinition(begun, wanted({ arms: arms('A', 'B'), forgetting: forgets(9) }))!;
  expect(slower).toMatchObject({ version: 3, forgetting: { spanMs: 9, sinceVersion: 2 } });
  expect(nextDefinition(slower, wanted({ arms: arms('A', 'B'), forgetting: forgets(9) }))).toBeNull();
});

const PAGE = {
  arms: arms('A', 'B'),
  layout: { aspects: [{ name: 'button', variants: ['A', 'B'] }], crosses: [] },
  context: [{ kind: 'boolean', name: 'returning' }],
} as const;

test('counts by pattern are kept from the start or never: a layout cannot come later, nor go', () => {
  const message = /the aspects of its layout cannot change from .* what was learned so far was not kept by them/;
  const { layout: _, ...named } = PAGE;
  expect(() => nextDefinition({ ...wanted(named), appliedAtMs: [5] }, wanted(PAGE))).toThrow(message);
  expect(() => nextDefinition({ ...wanted(PAGE), appliedAtMs: [5] }, wanted(named))).toThrow(message);
});

test('which crosses are learned may change, aspects may not', () => {
  const before = { ...wanted(PAGE), appliedAtMs: [5] };
  const crossed = wanted({ ...PAGE, layout: { ...PAGE.layout, crosses: [['button', 'returning']] } });
  expect(nextDefinition(before, wanted(PAGE))).toBeNull();
  expect(nextDefinition(before, crossed)).toMatchObject({ version: 2, layout: { crosses: [['button', 'returning']] } });
  const renamed = wanted({ ...PAGE, layout: { aspects: [{ name: 'colour', variants: ['A', 'B'] }], crosses: [] } });
  expect(() => nextDefinition(before, renamed)).toThrow('the aspects of its layout cannot change');
});

test('a candidate may give sums another meaning, but not what was logged', () => {
  const attribution = { model: 'first-touch', windowMs: 7 } as const;
  const forgetting = { kind: 'window', spanMs: 50, sinceVersion: 9 } as const;
  const candidate = candidateDefinition(standing, wanted({ arms: arms('C', 'B'), attribution, forgetting }));
  expect(candidate).toMatchObject({ version: 2, attribution, forgetting: { sinceVersion: 1 }, appliedAtMs: [5] });
  expect(candidate.arms.map(({ id, state }) => `${id} ${state}`)).toEqual(['A retired', 'B active', 'C active']);
  const context = [{ kind: 'boolean', name: 'returning' } as const];
  expect(() => candidateDefinition(standing, wanted({ context }))).toThrow(/context cannot change .* were logged/);
});
