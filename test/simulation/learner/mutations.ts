/**
 * Ways to break the product, each of which some seed must find: the proof that a run that passes means something. The
 * code on disk is not touched; it is changed as this thread loads it.
 */
import { registerHooks } from 'node:module';

interface Mutation {
  readonly name: string;
  /** From services/ on. */
  readonly file: string;
  /** Must be there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'earlier owners may go on writing',
    file: 'platform/embedded/log.ts',
    find: 'if (known > number)',
    replace: 'if (known > number + 1e9)',
  },
  {
    name: 'a store is used without asking what was published since',
    file: 'learner/tally-task.ts',
    find: 'if (!reflectedBy(publishFrom, join.state.offsets)) return false;',
    replace: '',
  },
  {
    name: 'deltas are applied while the groups are filled again',
    file: 'learner/restore.ts',
    find: 'i === 0 ? FOR_GROUPS_ALONE : { counted, learned }',
    replace: '{ counted, learned: (delta) => i === 0 || learned(delta) }',
  },
  {
    name: 'what runs out is dropped by when somebody looks',
    file: 'platform/join/partition-join.ts',
    find: 'lastVisit * this.dueStepMs',
    replace: 'step * this.dueStepMs',
  },
  {
    name: 'tallies ahead of the progress are learned again',
    file: 'learner/restore.ts',
    find: 'return reflectedBy(cuts.get(name) ??',
    replace: 'return true || reflectedBy(cuts.get(name) ??',
  },
  {
    name: 'offsets are committed without all of their groups',
    file: 'platform/join/partition-join.ts',
    find: 'store.put(group.unitId, encodeGroup(group)',
    replace: 'if (group.rewards.length === 0) store.put(group.unitId, encodeGroup(group)',
  },
  {
    name: 'units with rewards run out unread too',
    file: 'core/learning/partition.ts',
    find: 'return isEmpty(left) ?',
    replace: 'return true ?',
  },
  {
    name: 'the offsets of a cut are not compared in both streams',
    file: 'core/learning/tally.ts',
    find: 'earlier.decisions <= later.decisions && earlier.rewards <= later.rewards',
    replace: 'earlier.decisions <= later.decisions',
  },
  {
    name: 'a decision is forgotten too early',
    file: 'core/join/group.ts',
    find: 'return entry.clockMs + decisionMemoryMs(limits);',
    replace: 'return entry.clockMs + limits.windowMs / 4;',
  },
  {
    name: 'what was committed and not published is forgotten at the next start',
    file: 'platform/join/partition-join.ts',
    find: 'return isPublished ? [] : [encoded(tally, value)];',
    replace: 'return [];',
  },
  {
    name: 'dead letters are appended after the commit',
    file: 'learner/tally-task.ts',
    find: 'await this.appendDeadLetters();\n    this.remember(await join.commit(this.publishedUpTo));',
    replace: 'this.remember(await join.commit(this.publishedUpTo));\n    await this.appendDeadLetters();',
  },
  {
    name: 'a snapshot of half a cut is published',
    file: 'core/learning/reported.ts',
    find: 'return this.partitions.values().every(({ isComplete }) => isComplete);',
    replace: 'return true;',
  },
  {
    name: 'a first reward that was taken back stays in the delays',
    file: 'core/learning/sums.ts',
    find: 'if (had !== null) cells[FIRST_REWARDS + delayBucket(had, windowMs)]! -= 1;',
    replace: '',
  },
  {
    name: 'cohorts are rolled up before they are mature',
    file: 'core/learning/roll-up.ts',
    find: 'return Math.min(old, matureBefore(experiment, newestCohort));',
    replace: 'return old;',
  },
  {
    name: 'progress is published before its sums',
    file: 'learner/tally-task.ts',
    find: 'await this.tallies.write([...this.unpublished]',
    replace: 'await this.tallies.writeProgress(join.progress());\n    await this.tallies.write([...this.unpublished]',
  },
  {
    name: 'a partition that is restored learns by a promotion that came meanwhile',
    file: 'learner/tally-role.ts',
    find: 'const rules = { experiments: lineUp, limits };',
    replace: 'const rules = { experiments: experiments.experiments, limits };',
  },
  {
    name: 'a promoted line goes on from the progress, not from its cut',
    file: 'learner/restore.ts',
    find: '?? lines.get(line)?.offsets ??',
    replace: '??',
  },
  {
    name: 'after a promotion the books go on as they were',
    file: 'learner/restore.ts',
    find: 'if (lines.size > 0) await join.restate(stop);',
    replace: '',
  },
  {
    name: 'two people define one version',
    file: 'platform/experiment-store.ts',
    find: 'await takeOver(log, ',
    replace: 'await (async (..._: unknown[]) => log.writer())(',
  },
];

/** @throws Error when the code has changed so that the mutation says nothing any more: write it anew. */
export function applyMutation(name: string): void {
  const mutation = MUTATIONS.find((one) => one.name === name);
  if (mutation === undefined) throw new Error(`there is no mutation ${name}`);
  const { file, find, replace } = mutation;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith(`/services/${file}`)) return loaded;
      const source = String(loaded.source);
      if (source.split(find).length !== 2) throw new Error(`mutation ${name}: ${file} does not have once: ${find}`);
      return { ...loaded, source: source.replace(find, () => replace) };
    },
  });
}
