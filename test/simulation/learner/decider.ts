/** A decider's view of the snapshots: whatever it ever held is handed on, and it may never go back. */
import type { Codecs } from '../../../services/contracts/codec.ts';
import type { ParametersSnapshot } from '../../../services/core/deciding/snapshot.ts';
import { Unavailable } from '../../../services/core/errors.ts';
import type { ExperimentId } from '../../../services/core/events.ts';
import { SnapshotsView } from '../../../services/platform/snapshots-view.ts';
import { type Network, SimulatedLog } from './log.ts';
import type { Actor } from './schedule.ts';
import { Troubles } from './weather.ts';

export interface DeciderOptions {
  readonly actor: Actor;
  readonly network: Network;
  readonly codecs: Codecs;
  readonly topic: string;
  seen(snapshot: ParametersSnapshot): void;
  fail(what: string): void;
}

const RETRY_MS = 20;

export class DeciderProcess {
  readonly name: string;
  private readonly options: DeciderOptions;
  private readonly view: SnapshotsView;
  private readonly newest = new Map<string, ParametersSnapshot>();

  constructor(options: DeciderOptions) {
    this.options = options;
    this.name = options.actor.name;
    this.view = new SnapshotsView({
      log: new SimulatedLog(options.network, options.actor, new Troubles()),
      topic: options.topic,
      codec: options.codecs.snapshot,
      onSnapshot: ({ snapshot }) => this.hold(snapshot),
      onRefused: (error) => options.fail(`${this.name} refuses a snapshot: ${error.message}`),
      onUnavailable: () => {},
      onFailed: (error) => options.fail(`${this.name} stopped reading: ${String(error)}`),
    });
    this.later(0);
  }

  digestOf(id: ExperimentId): string | undefined {
    return this.view.snapshots.get(id)?.snapshot.digest;
  }

  die(): void {
    this.options.actor.alive = false;
  }

  private later(delayMs: number): void {
    const { actor, network, fail } = this.options;
    const start = (): void => {
      this.view.start().catch((error: unknown) => {
        if (error instanceof Unavailable) this.later(RETRY_MS);
        else fail(`${this.name} did not start: ${String(error)}`);
      });
    };
    network.weather.schedule.after(delayMs, `${this.name} starts`, start, actor);
  }

  private hold(snapshot: ParametersSnapshot): void {
    const before = this.newest.get(snapshot.experimentId);
    if (before !== undefined && snapshot.version < before.version) {
      this.options.fail(
        `${this.name}: ${snapshot.experimentId} went from version ${before.version} to ${snapshot.version}`,
      );
    }
    this.newest.set(snapshot.experimentId, snapshot);
    this.options.seen(snapshot);
  }
}
