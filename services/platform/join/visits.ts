/** When a unit's group is visited, to drop what has run out: in steps of the log's clock, so that looking for them serves many. */
import type { UnitId } from '../../core/events.ts';
import { decisionMemoryMs, type JoinLimits } from '../../core/join/group.ts';

/** Of a decision's memory: each step looks into every table that has something due. */
const STEPS = 125;
/**
 * So many steps lie between two visits of a unit: what ran out in between is dropped at once, since a visit costs as much as
 * an event. Units have their visits at different steps, so that no step has them all.
 */
const STEPS_BETWEEN_VISITS = 32;

/** @returns how long a step is. */
export function stepMs(limits: JoinLimits): number {
  return Math.max(1, Math.floor(decisionMemoryMs(limits) / STEPS));
}

/** @returns the first step from that one on at which the unit is visited. */
export function visitOf(unitId: UnitId, step: number): number {
  let hash = 0;
  for (let i = 0; i < unitId.length; i++) hash = Math.imul(hash ^ unitId.charCodeAt(i), 0x01000193);
  const place = (hash >>> 16) % STEPS_BETWEEN_VISITS;
  const from = step % STEPS_BETWEEN_VISITS;
  return step + ((place - from + STEPS_BETWEEN_VISITS) % STEPS_BETWEEN_VISITS);
}

/** @returns the last step up to that one at which the unit was visited. */
export function lastVisitOf(unitId: UnitId, step: number): number {
  return visitOf(unitId, step - STEPS_BETWEEN_VISITS + 1);
}
