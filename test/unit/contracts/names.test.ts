/** Durations, suggestions, topic names and keys. */
import { expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../services/contracts/duration.ts';
import { cohortSumsKey, progressKey, subjectOf, topicNames } from '../../../services/contracts/keys.ts';
import { nearest } from '../../../services/contracts/nearest.ts';
import { coupon } from './fixtures.ts';

it('durations are a whole number and a unit', () => {
  const durations = {
    '500ms': 500,
    '90s': 90_000,
    '15m': 900_000,
    '12h': 43_200_000,
    '30d': 2_592_000_000,
    '2w': 1_209_600_000,
    '0s': 0,
  };
  for (const [text, ms] of Object.entries(durations)) expect(parseDuration(text)).toBe(ms);
  for (const text of ['', '30', 'd', '1.5h', '-1s', '1 h', '1h30m', '999999999999999w', '1H'])
    expect(parseDuration(text)).toBeNull();
});

it('a duration is shown as what it parses from', () => {
  for (const ms of [0, 1, 999, 1_000, 90_000, 3_600_000, 86_400_000, 86_400_001]) {
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  }
  expect(formatDuration(90_000)).toBe('90s');
});

it('a mistyped name finds its nearest, a foreign one none', () => {
  const names = ['alpha', 'beta', 'attributes', 'id'];
  expect(nearest('atributes', names)).toBe('attributes');
  expect(nearest('Alpah', names)).toBe('alpha');
  expect(nearest('gamma', names)).toBeNull();
  expect(nearest('x', names)).toBeNull();
});

it('topics take a prefix, subjects follow the topic', () => {
  expect(topicNames().deadLetters).toBe('dead-letters');
  expect(subjectOf(topicNames('eu.').decisions)).toBe('eu.decisions-value');
});

it('no two tallies share a key', () => {
  expect(cohortSumsKey(coupon, 3, 19_782)).toBe('coupon/3/19782');
  expect(progressKey(3)).toBe('#progress/3');
});
