/**
 * What is done to learners on a real cluster, one fault a round, under load. Each leaves at least one learner that works.
 * Says when somebody lost what it owned, for the time until the next snapshot.
 */
import { cp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { restartBrokerHard } from '../support/broker-process.ts';
import { get } from '../support/decider.ts';
import type { Environment, Installation, RunningProcess } from '../support/installation.ts';
import { until } from '../support/until.ts';

/** As short as the brokers allow. */
export const SESSION_TIMEOUT_MS = 6_000;
const ENVIRONMENT = {
  CROUPIER_LEARNER_SESSION_TIMEOUT: `${SESSION_TIMEOUT_MS}ms`,
  CROUPIER_LEARNER_COMMIT_INTERVAL: '50ms',
};
const UNDER_WAY_MS = 1_500;
const OWNED_MS_MAX = 60_000;

export class Learners {
  readonly partitions: number;
  private readonly installation: Installation;
  private readonly folder: string;
  private readonly environment: Environment;
  private readonly running = new Map<string, RunningProcess>();

  /** @param environment settings beside those that all learners have here. */
  constructor(installation: Installation, folder: string, partitions: number, environment: Environment = {}) {
    this.installation = installation;
    this.folder = folder;
    this.partitions = partitions;
    this.environment = environment;
  }

  async start(name: string): Promise<void> {
    const environment = { ...ENVIRONMENT, ...this.environment, CROUPIER_LEARNER_DATA: this.disk(name) };
    this.running.set(name, await this.installation.startLearner(environment));
  }

  /** Resolves when the learners own all partitions together. */
  async ownAll(): Promise<void> {
    const all = async (): Promise<boolean> => {
      const owned = new Set<string>();
      for (const { started } of this.running.values()) {
        const body = String((await get(Number(started.port), '/metrics').catch(() => ({ body: '' }))).body);
        for (const [, partition] of body.matchAll(/croupier_learner_offset\{[^}]*partition="(\d+)"/g))
          owned.add(partition!);
      }
      return owned.size === this.partitions;
    };
    await until('every partition is owned', all, OWNED_MS_MAX);
  }

  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(Number(this.running.get(name)!.started.pid), signal);
  }

  /** Without warning, as a machine that loses its power. */
  kill(name: string): void {
    this.signal(name, 'SIGKILL');
    this.running.delete(name);
  }

  async stop(name: string): Promise<void> {
    const code = await this.running.get(name)!.stop();
    this.running.delete(name);
    if (code !== 0) throw new Error(`learner ${name} stopped with ${code}`);
  }

  async stopAll(): Promise<void> {
    for (const name of [...this.running.keys()]) await this.stop(name);
  }

  disk(name: string): string {
    return join(this.folder, name);
  }
}

export interface Fault {
  readonly name: string;
  /** @param lost call when a learner has just lost what it owned. */
  strike(learners: Learners, lost: () => void): Promise<void>;
}

/** Kills the only learner, does something to its disk, and starts it again. */
function killed(name: string, disk: (folder: string) => Promise<void>): Fault {
  return {
    name,
    async strike(learners, lost) {
      learners.kill('a');
      lost();
      await disk(learners.disk('a'));
      await learners.start('a');
    },
  };
}

/** How soon a learner is back says most here: nothing but the session timeout has to be waited for. */
export const KILLED_ALONE = 'kill -9, begun again on its disk';

export const FAULTS: readonly Fault[] = [
  killed(KILLED_ALONE, async () => {}),
  killed('kill -9, begun again on an empty disk', (folder) => rm(folder, { recursive: true })),
  killed('kill -9, begun again on a corrupt disk', spoil),
  {
    name: 'kill -9, begun again on a stale disk',
    async strike(learners, lost) {
      const old = `${learners.disk('a')}-old`;
      await learners.stop('a');
      await cp(learners.disk('a'), old, { recursive: true });
      await learners.start('a');
      await learners.ownAll();
      await delay(UNDER_WAY_MS);
      learners.kill('a');
      lost();
      await rm(learners.disk('a'), { recursive: true });
      await cp(old, learners.disk('a'), { recursive: true });
      await rm(old, { recursive: true });
      await learners.start('a');
    },
  },
  {
    name: 'frozen past the session timeout, woken after the take-over',
    async strike(learners, lost) {
      await learners.start('b');
      await learners.ownAll();
      await delay(UNDER_WAY_MS);
      learners.signal('a', 'SIGSTOP');
      lost();
      await delay(SESSION_TIMEOUT_MS + 4 * UNDER_WAY_MS);
      learners.signal('a', 'SIGCONT');
      await delay(2 * UNDER_WAY_MS);
      await learners.stop('b');
    },
  },
  {
    name: 'broker killed and started again',
    async strike(_learners, lost) {
      await restartBrokerHard();
      lost();
    },
  },
  {
    name: 'three learners, killed one after the other',
    async strike(learners, lost) {
      await learners.start('b');
      await learners.start('c');
      await learners.ownAll();
      for (const name of ['a', 'b', 'c']) {
        learners.kill(name);
        lost();
        await delay(UNDER_WAY_MS);
        await learners.start(name);
        await learners.ownAll();
      }
      await learners.stop('b');
      await learners.stop('c');
    },
  },
];

/** Garbage in every file that is there. */
async function spoil(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    await truncate(file, 0);
    await writeFile(file, Buffer.alloc(5_000, 0xa5));
  }
}
