/**
 * The next version of a definition, out of the one that stands and the one that is wanted.
 * Not here: how the two are read and written, and what happens when two people change one at once.
 */
import { Invalid } from './errors.ts';
import { type Arm, type ArmPrior, assertCompatibleChange, type Experiment, type Forgetting } from './experiment.ts';

/**
 * Arms that are not wanted any more are retired, never removed; new ones come after all others. A prior stays: files have
 * none, see `warmStarted`.
 * @param standing with the append time of its own version; `undefined` for a new experiment.
 * @param wanted as if it were a first version.
 * @returns `null` when nothing would change.
 * @throws Invalid `experiment-change` when the kept sums would change their meaning.
 */
export function nextDefinition(standing: Experiment | undefined, wanted: Experiment): Experiment | null {
  if (standing === undefined) return wanted;
  const version = standing.version + 1;
  const next = {
    ...wanted,
    version,
    arms: mergedArms(standing, wanted, version),
    forgetting: keptForgetting(standing, wanted, version),
    appliedAtMs: standing.appliedAtMs,
    prior: standing.prior,
    promotion: standing.promotion,
  };
  assertCompatibleChange(standing, next);
  return sameMeaning(standing, next) ? null : next;
}

/**
 * What would stand if it had always been as wanted: another meaning of the sums is allowed, since nothing was summed yet. What
 * is on the log must be readable by it, so contexts and aspects are those that stand.
 * @throws Invalid `what-if`.
 */
export function candidateDefinition(standing: Experiment, wanted: Experiment): Experiment {
  const version = standing.version + 1;
  for (const [what, was, is] of [
    ['context', standing.context, wanted.context],
    ['the aspects of its layout', standing.layout?.aspects ?? null, wanted.layout?.aspects ?? null],
  ] as const) {
    if (JSON.stringify(was) === JSON.stringify(is)) continue;
    throw new Invalid(
      'what-if',
      `experiment ${standing.id}: ${what} cannot change from ${JSON.stringify(was)} to ${JSON.stringify(is)}: decisions were ` +
        'logged by the former',
    );
  }
  return {
    ...wanted,
    version,
    arms: mergedArms(standing, wanted, version),
    // As if it had forgotten from the start: nothing is rolled up.
    forgetting: wanted.forgetting === null ? null : { ...wanted.forgetting, sinceVersion: 1 },
    appliedAtMs: standing.appliedAtMs,
    prior: standing.prior,
  };
}

/** Whether a candidate is what took over last, so that there is nothing to promote. */
export function hasTakenOver(standing: Experiment, candidate: Experiment): boolean {
  return standing.promotion !== null && sameMeaning(standing, { ...candidate, promotion: standing.promotion });
}

/**
 * A candidate that takes over, with what it was promoted on.
 * @returns `null` when it stands already.
 * @throws Invalid `promotion-overtaken` when the definition has changed since the candidate was made.
 */
export function promotedDefinition(standing: Experiment, promoted: Experiment): Experiment | null {
  if (standing.promotion?.label === promoted.promotion!.label) return null;
  if (promoted.version === standing.version + 1) return promoted;
  throw new Invalid(
    'promotion-overtaken',
    `experiment ${standing.id}: version ${standing.version} stands, the candidate was replayed to follow version ` +
      `${promoted.version - 1}: promote it again, with --restart`,
  );
}

/** The same with another prior. @returns `null` when it has that one already. */
export function warmStarted(standing: Experiment, prior: readonly ArmPrior[]): Experiment | null {
  const next = { ...nextVersion(standing), prior };
  return sameMeaning(standing, next) ? null : next;
}

/** @returns `null` when it is deleted already. */
export function deletedDefinition(standing: Experiment): Experiment | null {
  return standing.state === 'deleted' ? null : { ...nextVersion(standing), state: 'deleted' };
}

/** The same definition as one more version. */
function nextVersion(standing: Experiment): Experiment {
  return { ...standing, version: standing.version + 1 };
}

function keptForgetting(standing: Experiment, wanted: Experiment, version: number): Forgetting | null {
  if (wanted.forgetting === null) return null;
  return { ...wanted.forgetting, sinceVersion: standing.forgetting?.sinceVersion ?? version };
}

function mergedArms(standing: Experiment, wanted: Experiment, version: number): readonly Arm[] {
  const wantedById = new Map(wanted.arms.map((arm) => [arm.id, arm]));
  const kept = standing.arms.map((arm): Arm => {
    const change = wantedById.get(arm.id);
    return change === undefined ? { ...arm, state: 'retired' } : { ...change, sinceVersion: arm.sinceVersion };
  });
  const known = new Set(standing.arms.map((arm) => arm.id));
  const added = wanted.arms.filter((arm) => !known.has(arm.id)).map((arm) => ({ ...arm, sinceVersion: version }));
  return [...kept, ...added];
}

function sameMeaning(a: Experiment, b: Experiment): boolean {
  return meaningOf(a) === meaningOf(b);
}

function meaningOf({ version: _, appliedAtMs: __, ...meaning }: Experiment): string {
  return JSON.stringify(meaning, (_key, value: unknown) =>
    value instanceof Map ? [...value].sort(([a], [b]) => (a < b ? -1 : 1)) : sorted(value),
  );
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
