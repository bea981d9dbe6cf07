/**
 * The store in memory, for tests, replays and the simulator: the same contract, gone with the process.
 */
import type { Store } from './port.ts';

interface Kept {
  readonly value: Buffer;
  readonly due: number;
}

export class MemoryStore implements Store {
  private readonly units = new Map<string, Kept>();
  private readonly byDue = new Map<number, Set<string>>();
  private readonly named = new Map<string, Buffer>();

  get(unit: string): Buffer | undefined {
    return this.units.get(unit)?.value;
  }

  put(unit: string, value: Uint8Array, due: number): void {
    this.forgetDue(unit);
    this.units.set(unit, { value: Buffer.from(value), due });
    const units = this.byDue.get(due);
    if (units === undefined) this.byDue.set(due, new Set([unit]));
    else units.add(unit);
  }

  delete(unit: string): void {
    this.forgetDue(unit);
    this.units.delete(unit);
  }

  takeDue(upTo: number, limit: number): string[] {
    const taken: string[] = [];
    for (const [due, units] of this.byDue) {
      if (due > upTo) continue;
      for (const unit of units) {
        if (taken.length === limit) return taken;
        taken.push(unit);
        this.forgetDue(unit);
      }
    }
    return taken;
  }

  getNamed(name: string): Buffer | undefined {
    return this.named.get(name);
  }

  putNamed(name: string, value: Uint8Array): void {
    this.named.set(name, Buffer.from(value));
  }

  names(): string[] {
    return [...this.named.keys()];
  }

  async commit(): Promise<void> {}

  async clear(): Promise<void> {
    this.units.clear();
    this.byDue.clear();
    this.named.clear();
  }

  async close(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.clear();
  }

  private forgetDue(unit: string): void {
    const due = this.units.get(unit)?.due;
    if (due === undefined) return;
    const units = this.byDue.get(due);
    units?.delete(unit);
    if (units?.size === 0) this.byDue.delete(due);
  }
}
