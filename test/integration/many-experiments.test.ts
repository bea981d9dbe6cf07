import { expect, it } from 'vitest';
import { idOf, ManyExperiments } from '../support/many-experiments.ts';

it('of 2,000 experiments the 10 that go on are all that is encoded, decoded and published', async () => {
  const many = await ManyExperiments.create(2_000);
  const active = Array.from({ length: 10 }, (_, index) => index * 200);
  many.start();
  for (let round = 0; round < 20; round++) await many.deal(active);
  await many.stop();
  const { commits, talliesEncoded, talliesDecoded, snapshotsEncoded, snapshotsDecoded } = many.work;
  const ids = active.map(idOf).sort();
  for (const touched of [talliesEncoded, talliesDecoded, snapshotsEncoded]) {
    expect([...new Set(touched)].sort()).toEqual(ids);
  }
  // A cohort of each at most, each time; and each is decoded once, by the publisher.
  expect(talliesEncoded.length).toBeLessThanOrEqual(commits * active.length);
  expect(talliesDecoded.length).toBe(talliesEncoded.length);
  expect(snapshotsEncoded.length).toBeLessThanOrEqual(talliesEncoded.length);
  // Its own snapshots a publisher need not read again, but it may read one before it hears that it is there.
  expect(snapshotsDecoded.length).toBeLessThanOrEqual(snapshotsEncoded.length);
}, 120_000);
