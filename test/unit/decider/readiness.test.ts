import { expect, it } from 'vitest';
import { readinessOf } from '../../../services/decider/readiness.ts';

it('a decider that has read nothing yet does not say that no experiment lacks a snapshot', () => {
  const answer = readinessOf({ origin: 'none', stopping: false, served: [], nowMs: 0 });
  expect(answer).toMatchObject({ ready: false, experiments: null, withoutSnapshot: null });
});

it('one that has read that there is no experiment says so', () => {
  const answer = readinessOf({ origin: 'log', stopping: false, served: [], nowMs: 0 });
  expect(answer).toMatchObject({ ready: true, experiments: 0, withoutSnapshot: 0 });
});
