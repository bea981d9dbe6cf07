import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCodecs } from '../../../../services/contracts/codec.ts';
import { subjectOf, topicNames } from '../../../../services/contracts/keys.ts';
import { Unavailable } from '../../../../services/core/errors.ts';
import { embeddedSchemaSource } from '../../../../services/platform/embedded/schema-source.ts';
import { DiskMirror } from '../../../../services/platform/mirror/disk.ts';
import { Mirrors } from '../../../../services/platform/mirror/mirrors.ts';
import { openSchemaSource, SchemaMirror } from '../../../../services/platform/mirror/schemas.ts';
import { decision } from '../../../support/core.ts';

const topics = topicNames();
let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mirror-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function openMirrors(): Mirrors {
  const fail = (_name: string, error: Error): never => {
    throw error;
  };
  return new Mirrors([new DiskMirror(folder)], { unavailable: fail, damaged: fail });
}

const away = async (): Promise<never> => {
  throw new Unavailable('registry-unavailable', 'away');
};

describe('mirrored schemas', () => {
  it('let a process read and write while the registry is away', async () => {
    const mirrors = openMirrors();
    const live = embeddedSchemaSource(topics);
    new SchemaMirror(live, topics, mirrors);
    await mirrors.stop();
    const bytes = createCodecs(live, topics).decision.encode(decision());

    const kept = createCodecs(await openSchemaSource(away, topics, openMirrors()), topics);
    expect(kept.decision.decode(bytes)).toEqual(decision());
    expect(kept.decision.encode(decision())).toEqual(bytes);
  });

  it('are not enough where nothing was mirrored', async () => {
    await expect(openSchemaSource(away, topics, openMirrors())).rejects.toThrow(Unavailable);
  });

  it('ask the registry, once it is back, for a schema that was not mirrored', async () => {
    const mirrors = openMirrors();
    const live = embeddedSchemaSource(topics);
    new SchemaMirror(live, topics, mirrors);
    await mirrors.stop();
    let isAway = true;
    const asked: (readonly number[])[] = [];
    const source = await openSchemaSource(
      async () => (isAway ? away() : { ...live, load: async (_subject, ids) => void asked.push(ids) }),
      topics,
      openMirrors(),
    );
    await expect(source.load(subjectOf(topics.snapshots), [99])).rejects.toThrow(Unavailable);
    isAway = false;
    await source.load(subjectOf(topics.snapshots), [99]);
    expect(asked).toEqual([[99]]);
  });
});
