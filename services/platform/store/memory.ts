/**
 * The store in memory, for tests, replays and the simulator: the same contract, gone with the process. Closed, it holds what
 * was committed, and may be used again.
 */
import type { Due, Store } from './port.ts';

interface Kept {
  readonly value: Buffer;
  readonly due: number;
  readonly mark: number;
}

export class MemoryStore implements Store {
  private readonly entries = new Map<string, Kept>();
  private readonly byDue = new Map<number, Set<string>>();
  private readonly named = new Map<string, Buffer>();
  /** What was there at the last commit, of all that changed since. */
  private readonly before = {
    units: new Map<string, Kept | undefined>(),
    named: new Map<string, Buffer | undefined>(),
  };

  get(unit: string): Buffer | undefined {
    return this.entries.get(unit)?.value;
  }

  put(unit: string, value: Uint8Array, due: number, mark = 0): void {
    this.set(unit, { value: Buffer.from(value), due, mark });
  }

  delete(unit: string): void {
    this.set(unit, undefined);
  }

  *takeDue(upTo: number): Generator<Due> {
    for (const [due, units] of this.byDue) {
      if (due > upTo) continue;
      for (const unit of units) {
        this.forgetDue(unit, due);
        const { mark, value } = this.entries.get(unit)!;
        yield { mark, read: () => [unit, value], delete: () => this.delete(unit) };
      }
    }
  }

  *units(): Generator<readonly [string, Buffer]> {
    for (const [unit, { value }] of this.entries) yield [unit, value];
  }

  getNamed(name: string): Buffer | undefined {
    return this.named.get(name);
  }

  putNamed(name: string, value: Uint8Array): void {
    this.remember(this.before.named, name, this.named.get(name));
    this.named.set(name, Buffer.from(value));
  }

  deleteNamed(name: string): void {
    this.remember(this.before.named, name, this.named.get(name));
    this.named.delete(name);
  }

  names(): string[] {
    return [...this.named.keys()];
  }

  heldBytes(): number {
    let bytes = 0;
    for (const [unit, { value }] of this.entries) bytes += unit.length + value.length;
    for (const [name, value] of this.named) bytes += name.length + value.length;
    return bytes;
  }

  async commit(): Promise<void> {
    this.before.units.clear();
    this.before.named.clear();
  }

  async clear(): Promise<void> {
    this.entries.clear();
    this.byDue.clear();
    this.named.clear();
    await this.commit();
  }

  async close(): Promise<void> {
    for (const [unit, kept] of this.before.units) this.set(unit, kept);
    for (const [name, value] of this.before.named) {
      if (value === undefined) this.named.delete(name);
      else this.named.set(name, value);
    }
    await this.commit();
  }

  async destroy(): Promise<void> {
    await this.clear();
  }

  private set(unit: string, kept: Kept | undefined): void {
    const known = this.entries.get(unit);
    this.remember(this.before.units, unit, known);
    if (known !== undefined) this.forgetDue(unit, known.due);
    if (kept === undefined) this.entries.delete(unit);
    else {
      this.entries.set(unit, kept);
      const units = this.byDue.get(kept.due);
      if (units === undefined) this.byDue.set(kept.due, new Set([unit]));
      else units.add(unit);
    }
  }

  private remember<T>(before: Map<string, T | undefined>, key: string, value: T | undefined): void {
    if (!before.has(key)) before.set(key, value);
  }

  private forgetDue(unit: string, due: number): void {
    const units = this.byDue.get(due);
    units?.delete(unit);
    if (units?.size === 0) this.byDue.delete(due);
  }
}
