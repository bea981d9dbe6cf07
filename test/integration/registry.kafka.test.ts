/** Schemas through a real registry: SCHEMA_REGISTRY_URL says where. Subjects are this run's own. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createCodecs } from '../../services/contracts/codec.ts';
import { RECORD_KINDS, subjectOf, type TopicNames, topicNames, topicOf } from '../../services/contracts/keys.ts';
import { COMPATIBILITY, loadSchemas } from '../../services/contracts/schemas.ts';
import { RegistryClient, type RegistryOptions } from '../../services/platform/registry/client.ts';
import { registerAll } from '../../services/platform/registry/register.ts';
import { openRegistrySource } from '../../services/platform/registry/source.ts';
import { decision, reward } from '../unit/contracts/fixtures.ts';

const url = process.env.SCHEMA_REGISTRY_URL;
if (url === undefined) throw new Error('SCHEMA_REGISTRY_URL is not set; `npm run stack -- up` prints it');
const options: RegistryOptions = { url, auth: null, timeoutMs: 20_000, triesMax: 3 };
const schemas = loadSchemas();

function freshTopics(): TopicNames {
  return topicNames(`test-${randomUUID()}.`);
}

function withField(text: string, field: object): string {
  const schema = JSON.parse(text) as { fields: object[] };
  return JSON.stringify({ ...schema, fields: [...schema.fields, field] });
}

describe('the schema registry', () => {
  it('takes all schemas, and the same again changes nothing', async () => {
    const topics = freshTopics();
    const first = await registerAll(options, topics);
    expect(first.map(({ subject }) => subject)).toEqual(RECORD_KINDS.map((kind) => subjectOf(topicOf(kind, topics))));
    expect(await registerAll(options, topics)).toEqual(first);
  });

  it('is only read at run time, and a missing set-up step is named with its command', async () => {
    const refused = openRegistrySource(options, freshTopics());
    await expect(refused).rejects.toMatchObject({ code: 'schema-not-registered' });
    await expect(refused).rejects.toThrow(/croupier topics create/);
  });

  it('gives the ids that records carry from writer to reader', async () => {
    const topics = freshTopics();
    await registerAll(options, topics);
    const writer = createCodecs(await openRegistrySource(options, topics), topics);
    const reader = createCodecs(await openRegistrySource(options, topics), topics);
    expect(reader.decision.decode(writer.decision.encode(decision))).toEqual(decision);
    const foreign = Buffer.from(writer.decision.encode(decision));
    foreign.writeUInt32BE(writer.reward.encode(reward).readUInt32BE(1), 1);
    await reader.decision.prepare([foreign]);
    expect(() => reader.decision.decode(foreign)).toThrow(/is no version of subject/);
  });

  it('tells a running reader of a version registered after it began', async () => {
    const topics = freshTopics();
    await registerAll(options, topics);
    const source = await openRegistrySource(options, topics);
    const { reward: codec } = createCodecs(source, topics);
    const added = withField(schemas.get('reward')!.text, { name: 'added', type: 'string', default: '', doc: 'Later.' });
    const id = await new RegistryClient(options).register(subjectOf(topics.rewards), added, COMPATIBILITY.reward);
    const later = Buffer.concat([codec.encode(reward), Buffer.of(0)]);
    later.writeUInt32BE(id, 1);
    expect(() => codec.decode(later)).toThrow(/is no version of subject/);
    await codec.prepare([later]);
    expect(codec.decode(later)).toEqual(reward);
    // A restart of this version goes on although a newer version is the latest.
    expect((await openRegistrySource(options, topics)).idOf(subjectOf(topics.rewards))).not.toBe(id);
  });

  it('refuses a change that could not read the past, for every subject', async () => {
    const topics = freshTopics();
    await registerAll(options, topics);
    const client = new RegistryClient(options);
    for (const kind of RECORD_KINDS) {
      const incompatible = withField(schemas.get(kind)!.text, { name: 'added', type: 'string', doc: 'No default.' });
      const change = client.register(subjectOf(topicOf(kind, topics)), incompatible, COMPATIBILITY[kind]);
      await expect(change).rejects.toMatchObject({ name: 'Invalid', code: 'schema-incompatible' });
    }
  });

  it('refuses a change of a tally that the past could not read', async () => {
    const topics = freshTopics();
    await registerAll(options, topics);
    const schema = JSON.parse(schemas.get('tally')!.text) as { fields: { name: string }[] };
    const removed = JSON.stringify({ ...schema, fields: schema.fields.filter(({ name }) => name !== 'clocks') });
    const change = new RegistryClient(options).register(subjectOf(topics.tallies), removed, COMPATIBILITY.tally);
    await expect(change).rejects.toMatchObject({ code: 'schema-incompatible' });
  });
});
