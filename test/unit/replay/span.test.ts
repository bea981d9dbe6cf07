import { expect, test } from 'vitest';
import { Invalid } from '../../../services/core/errors.ts';
import { parsePosition, spanOf } from '../../../services/replay/span.ts';
import { decision, reward, T0 } from '../../support/core.ts';
import { droppedBefore } from '../../support/faults.ts';
import { World } from '../../support/world.ts';

test.each([
  ['2026-11-01T00:00:00Z', { timeMs: Date.UTC(2026, 10, 1) }],
  ['17', { offsets: { decisions: 17, rewards: 17 } }],
  ['rewards=3', { offsets: { rewards: 3 } }],
  ['decisions=1,rewards=3', { offsets: { decisions: 1, rewards: 3 } }],
])('%s is a position', (text, position) => {
  expect(parsePosition('--from', text)).toEqual(position);
});

test.each(['', 'yesterday', '-1', 'decisions', 'clicks=3', 'rewards=3,rewards=4', 'rewards=x', '1.5', '2026-13-01'])(
  '%j is no position, and what is allowed is told',
  (text) => {
    expect(() => parsePosition('--to', text)).toThrow(/^--to: .*allowed is a time such as/);
  },
);

/** One partition with decisions appended at T0, T0 + 10, … and a reward after each. */
async function world(): Promise<World> {
  const world = await World.create({ partitions: 1 });
  for (let i = 0; i < 5; i++) {
    world.clock.nowMs = T0 + i * 10;
    await world.send({ decision: decision({ id: `d${i}` }) }, { reward: reward({ id: `r${i}` }) });
  }
  return world;
}

const at = (decisions: number, rewards = decisions) => ({ decisions, rewards });

test('without positions a span is all that is retained', async () => {
  const { log, topics } = await world();
  const all = { from: [at(0)], to: [at(5)], allRetained: true, fromStart: true };
  expect(await spanOf(log, topics, { from: null, to: null })).toEqual(all);
  const dropped = await droppedBefore(log, [topics.decisions], T0 + 15);
  const rest = { from: [at(2, 0)], to: [at(5)], allRetained: true, fromStart: false };
  expect(await spanOf(dropped, topics, { from: null, to: null })).toEqual(rest);
});

test('a span is from what was appended at a time on to what was appended before another', async () => {
  const { log, topics } = await world();
  const span = { from: { timeMs: T0 + 10 }, to: { timeMs: T0 + 30 } };
  expect(await spanOf(log, topics, span)).toMatchObject({ from: [at(1)], to: [at(3)], allRetained: false });
});

test('offsets may be given for one stream, and are cut to what there is', async () => {
  const { log, topics } = await world();
  const span = await spanOf(log, topics, { from: { offsets: { rewards: 2 } }, to: { offsets: at(99) } });
  expect(span).toMatchObject({ from: [at(0, 2)], to: [at(5)], fromStart: false });
});

test('a span that ends before it begins is refused', async () => {
  const { log, topics } = await world();
  await expect(spanOf(log, topics, { from: { offsets: at(4) }, to: { offsets: at(2) } })).rejects.toThrow(Invalid);
});
