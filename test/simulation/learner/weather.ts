/**
 * How long things take and which calls fail, drawn from the schedule: all waiting of a simulated process ends here.
 */
import { Unavailable } from '../../../services/core/errors.ts';
import type { Rates } from './plan.ts';
import type { Actor, Schedule } from './schedule.ts';

/** Troubles of one process, each until a time of the schedule. */
export class Troubles {
  /** The log does not answer. */
  awayUntilMs = 0;
  diskFullUntilMs = 0;
  /** Nothing new is seen of a topic. */
  readonly slowUntilMs = new Map<string, number>();
}

const CALM: Rates = { lostAnswer: 0, lostAppend: 0, unavailable: 0, commitRefused: 0 };

export class Weather {
  readonly schedule: Schedule;
  rates: Rates;
  /** What came to pass, and how often: a run in which nothing happens proves nothing. */
  readonly happenings = new Map<string, number>();

  constructor(schedule: Schedule, rates: Rates) {
    this.schedule = schedule;
    this.rates = rates;
  }

  calmDown(): void {
    this.rates = CALM;
  }

  note(what: string): void {
    this.happenings.set(what, (this.happenings.get(what) ?? 0) + 1);
  }

  happens(probability: number): boolean {
    return probability > 0 && this.schedule.random.next() < probability;
  }

  /** Mostly short; now and then long, longer than a take-over. */
  latencyMs(): number {
    const draw = this.schedule.random.next();
    if (draw < 0.8) return draw;
    if (draw < 0.97) return 1 + (draw - 0.8) * 20;
    return this.rates === CALM ? 5 : 5 + (draw - 0.97) * 1_000;
  }

  /** One leg of a call of a process; never ends for one that is dead. */
  leg(actor: Actor, label: string, delayMs: number = this.latencyMs()): Promise<void> {
    return new Promise((resolve) => {
      this.schedule.after(delayMs, label, resolve, actor);
    });
  }

  /** There and back. @throws Unavailable. */
  async call<T>(actor: Actor, troubles: Troubles, label: string, answer: () => T | Promise<T>): Promise<T> {
    await this.leg(actor, label);
    this.refuse(troubles, label);
    const found = await answer();
    await this.leg(actor, `${label} answered`);
    return found;
  }

  private refuse(troubles: Troubles, label: string): void {
    if (troubles.awayUntilMs > this.schedule.nowMs) throw new Unavailable('away', `${label}: the log does not answer`);
    if (this.happens(this.rates.unavailable)) throw new Unavailable('away', `${label}: the log does not answer now`);
  }
}
