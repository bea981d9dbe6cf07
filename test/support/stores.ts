/** What tests of stores have in common. */
import type { Store } from '../../services/platform/store/port.ts';

export const NEVER = Number.POSITIVE_INFINITY;

export const bytes = (text: string) => Buffer.from(text);
/** A copy: what a store gives is a view that its next call may change. */
export const stored = (store: Store, unit: string) => {
  const value = store.get(unit);
  return value === undefined ? undefined : Buffer.from(value);
};
export const storedNamed = (store: Store, name: string) => {
  const value = store.getNamed(name);
  return value === undefined ? undefined : Buffer.from(value);
};

export async function fill(store: Store, ...units: string[]): Promise<void> {
  for (const unit of units) store.put(unit, bytes(`value of ${unit}`), NEVER);
  await store.commit();
}

/** @returns the units that are due, sorted. */
export function taken(store: Store, upTo: number): string[] {
  return Array.from(store.takeDue(upTo), (due) => due.read()[0]).sort();
}
