import { beforeEach, expect, test } from 'vitest';
import { createCodecs } from '../../../services/contracts/codec.ts';
import { topicNames } from '../../../services/contracts/keys.ts';
import { Invalid, rethrow } from '../../../services/core/errors.ts';
import type { ArmId, ExperimentId } from '../../../services/core/events.ts';
import type { Experiment } from '../../../services/core/experiment.ts';
import { EmbeddedLog } from '../../../services/platform/embedded/log.ts';
import { embeddedSchemaSource } from '../../../services/platform/embedded/schema-source.ts';
import { ExperimentStore } from '../../../services/platform/experiment-store.ts';
import type { Log } from '../../../services/platform/log/port.ts';
import { createTopics, loadTopicSpecs } from '../../../services/platform/topics.ts';
import { experiment, T0 } from '../../support/core.ts';
import { appending } from '../../support/overriding.ts';

const topics = topicNames();
const codec = createCodecs(embeddedSchemaSource(topics), topics).experiment;
const ID = 'coupon' as ExperimentId;

let now = T0;
let log: EmbeddedLog;

beforeEach(async () => {
  now = T0;
  log = new EmbeddedLog({ folder: null, now: () => now++ });
  await createTopics(log.admin, loadTopicSpecs(topics));
});

function storeOn(on: Log = log): ExperimentStore {
  return new ExperimentStore({
    log: on,
    topic: topics.experiments,
    codec,
    onRefused: rethrow,
  });
}

function wanted(overrides: Partial<Experiment> = {}): Experiment {
  return experiment({ appliedAtMs: [], ...overrides });
}

/** The log, on which somebody else does something just before our next definition is appended. */
function withRival(rival: () => Promise<unknown>): Log {
  return aroundAppend(async (append) => {
    await rival();
    return append();
  });
}

function aroundAppend(around: (append: () => Promise<number>) => Promise<number>): Log {
  let armed = true;
  return appending(log, (append) => async (to, records) => {
    if (!armed || records.every(({ value }) => value === null)) return append(to, records);
    armed = false;
    return around(() => append(to, records));
  });
}

test('each change is one version more and keeps when the earlier ones were applied', async () => {
  const store = storeOn();
  const first = await store.apply(wanted());
  const second = await store.apply(wanted({ floor: 0.1 }));
  expect(first).toMatchObject({ before: undefined, changed: true, after: { version: 1, appliedAtMs: [T0 + 1] } });
  expect(second).toMatchObject({
    before: { floor: 0 },
    changed: true,
    after: { version: 2, appliedAtMs: [T0 + 1, T0 + 3] },
  });
  expect((await store.read()).versions.map(({ floor }) => floor)).toEqual([0, 0.1]);
});

test('what is as wanted already is not written again', async () => {
  const store = storeOn();
  const context = [{ name: 'plan', kind: 'category' as const, values: ['free', 'paid'] }];
  await store.apply(wanted({ context }));
  expect(await store.apply(wanted({ context }))).toMatchObject({ changed: false, after: { version: 1 } });
  expect(await log.admin.offsets(topics.experiments)).toEqual([{ start: 0, end: 2 }]);
});

test('a deleted experiment says so, and may be applied again', async () => {
  const store = storeOn();
  await store.apply(wanted());
  expect(await store.delete(ID)).toMatchObject({ changed: true, after: { version: 2, state: 'deleted' } });
  expect(await store.delete(ID)).toMatchObject({ changed: false });
  expect(await store.apply(wanted())).toMatchObject({ changed: true, after: { version: 3, state: 'active' } });
});

test('deleting what is not there suggests what is', async () => {
  await storeOn().apply(wanted());
  await expect(storeOn().delete('cuopon' as ExperimentId)).rejects.toThrow('did you mean coupon?');
});

test('who is overtaken changes what stands then, and what compaction keeps is what readers took', async () => {
  await storeOn().apply(wanted());
  const overtaken = storeOn(withRival(() => storeOn().apply(wanted({ floor: 0.2 }))));
  expect(await overtaken.apply(wanted({ floor: 0.1 }))).toMatchObject({
    before: { version: 2, floor: 0.2 },
    changed: true,
    after: { version: 3, floor: 0.1 },
  });

  const live = (await storeOn().read()).newest.get(ID);
  log.compact(topics.experiments);
  const compacted = (await storeOn().read()).newest.get(ID);
  expect(compacted).toEqual(live);
  expect(live).toMatchObject({ version: 3, floor: 0.1 });
});

test('who is overtaken by the very same change has nothing to do', async () => {
  await storeOn().apply(wanted());
  const overtaken = storeOn(withRival(() => storeOn().apply(wanted({ floor: 0.1 }))));
  expect(await overtaken.apply(wanted({ floor: 0.1 }))).toMatchObject({ changed: false, after: { version: 2 } });
});

test('who is overtaken by a change that rules out theirs is told why, and writes nothing', async () => {
  const rival = () => storeOn().apply(wanted({ cohortMs: 60 }));
  const overtaken = storeOn(withRival(rival));
  await expect(overtaken.apply(wanted({ cohortMs: 50 }))).rejects.toThrow(/cohortMs cannot change from 60 to 50/);
  log.compact(topics.experiments);
  expect((await storeOn().read()).newest.get(ID)).toMatchObject({ version: 1, cohortMs: 60 });
});

test('who ended half-way leaves nothing that compaction could keep instead of what readers took', async () => {
  await storeOn().apply(wanted());
  const ended = storeOn(
    aroundAppend(async (append) => {
      await storeOn().apply(wanted({ floor: 0.2 }));
      await append().catch(() => {});
      throw new Error('ended');
    }),
  );
  await expect(ended.apply(wanted({ floor: 0.1 }))).rejects.toThrow('ended');
  const live = (await storeOn().read()).newest.get(ID);
  log.compact(topics.experiments);
  expect((await storeOn().read()).newest.get(ID)).toEqual(live);
  expect(live).toMatchObject({ version: 2, floor: 0.2 });
});

test('a definition that breaks the contract is refused and not written', async () => {
  await expect(storeOn().apply(wanted({ fallbackArmId: 'nobody' as ArmId }))).rejects.toBeInstanceOf(Invalid);
  expect((await storeOn().read()).newest.size).toBe(0);
});
