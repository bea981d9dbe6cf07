/**
 * The set-up step: puts this version's schemas into a registry, or looks how they stand there. Nothing else of Croupier
 * writes there.
 */
import { RECORD_KINDS, subjectOf, type TopicNames, topicOf } from '../../contracts/keys.ts';
import { COMPATIBILITY, loadSchemas } from '../../contracts/schemas.ts';
import { RegistryClient, type RegistryOptions } from './client.ts';

export interface Registered {
  readonly subject: string;
  readonly id: number;
  readonly compatibility: string;
}

/** How a subject stands in the registry. */
export interface Standing {
  readonly subject: string;
  /** Of this version's schema; `null` when it is not there. */
  readonly id: number | null;
  /** `null` when the subject is not there. */
  readonly compatibility: string | null;
  readonly wantedCompatibility: string;
}

/** Changes nothing. @throws Unavailable. */
export async function standings(options: RegistryOptions, topics: TopicNames): Promise<readonly Standing[]> {
  const client = new RegistryClient(options);
  const schemas = loadSchemas();
  const found: Standing[] = [];
  for (const kind of RECORD_KINDS) {
    const subject = subjectOf(topicOf(kind, topics));
    const id = await client.idOf(subject, schemas.get(kind)!.text);
    const compatibility = id === null ? null : await client.compatibility(subject);
    found.push({ subject, id, compatibility, wantedCompatibility: COMPATIBILITY[kind] });
  }
  return found;
}

/**
 * Sets each subject's level of compatibility, then registers its schema; harmless to repeat.
 * @throws Invalid `schema-incompatible` when a registered version could not be read any more; Unavailable.
 */
export async function registerAll(options: RegistryOptions, topics: TopicNames): Promise<readonly Registered[]> {
  const client = new RegistryClient(options);
  const schemas = loadSchemas();
  const registered: Registered[] = [];
  for (const kind of RECORD_KINDS) {
    const subject = subjectOf(topicOf(kind, topics));
    const compatibility = COMPATIBILITY[kind];
    const id = await client.register(subject, schemas.get(kind)!.text, compatibility);
    registered.push({ subject, id, compatibility });
  }
  return registered;
}
