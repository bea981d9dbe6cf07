/** The hardest events there are, one fiftieth of `npm run chaos -- --million`: every one of them is in the books. */
import { expect, it } from 'vitest';
import { MILLION, runMillion } from '../chaos/million.ts';

it('20,000 decisions and 28,000 late, early, repeated, revised and malformed rewards: books and digest are the core’s after a kill', async () => {
  const shape = { ...MILLION, decisions: MILLION.decisions / 50, dayMs: 300, days: 30 };
  const { bars } = await runMillion({ shape, kills: 1, onProgress: () => {} });
  expect(bars.filter(({ holds }) => !holds)).toEqual([]);
}, 180_000);
