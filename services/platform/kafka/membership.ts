/**
 * Membership of a Kafka consumer group, for assignment alone: joins, heartbeats and hands partitions over one by one
 * (the cooperative protocol of KIP-429: a partition is given away only after its owner let go of it, the others keep
 * working). Owns the generation and the list of owned partitions. Reads no records, and commits offsets only for those who
 * watch the group from outside.
 *
 * kafkajs's own consumer is not used: it rejoins without waiting for `revoked`, and may stop for good when it crashes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, Invalid, Unavailable } from '../../core/errors.ts';
import { difference } from '../log/balance.ts';
import type { GroupMembership, MembershipHandlers, Position } from '../log/port.ts';
import { Signal } from '../log/signal.ts';
import { Connection, type KafkaLogger, type KafkaOptions } from './connection.ts';
import { GroupSession, type Verdict } from './group-session.ts';

const RETRY_PAUSE_MS = 250;
const FIRST_JOIN_ATTEMPTS_MAX = 20;
const SHOWN_EVERY_MS = 5_000;

interface JoinOptions {
  readonly groupId: string;
  readonly topic: string;
  readonly sessionTimeoutMs: number;
  readonly handlers: MembershipHandlers;
  readonly positions?: () => readonly Position[];
}

export class KafkaMembership implements GroupMembership {
  readonly #connection: Connection;
  readonly #logger: KafkaLogger;
  readonly #onClose: () => void;
  readonly #ended = Promise.withResolvers<void>();
  readonly #wake = new Signal();
  #run: Promise<void> | null = null;
  #owned: readonly number[] = [];
  #leaving = false;

  constructor(options: KafkaOptions, onClose: () => void) {
    this.#connection = new Connection(options);
    this.#logger = options.logger;
    this.#onClose = onClose;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  async join(options: JoinOptions): Promise<void> {
    assert(this.#run === null, `already a member of group ${options.groupId}; a membership joins once`);
    if (this.#leaving) throw new Invalid('closed', `could not join group ${options.groupId}: closed`);
    const joined = Promise.withResolvers<void>();
    this.#run = this.#live(options, joined.resolve).then(
      () => {
        joined.resolve();
        this.#ended.resolve();
      },
      (error: unknown) => {
        // Before the first join, the caller of `join` hears of it; afterwards those who watch `ended`.
        joined.promise.then(
          () => this.#ended.reject(error),
          () => this.#ended.resolve(),
        );
        joined.reject(error);
      },
    );
    await joined.promise;
  }

  async leave(): Promise<void> {
    this.#leaving = true;
    this.#wake.fire();
    if (this.#run === null) this.#ended.resolve();
    await this.#run;
    this.#connection.close();
    this.#onClose();
  }

  /** From join to leave. Whatever ends it, nothing is owned afterwards. */
  async #live(options: JoinOptions, joined: () => void): Promise<void> {
    const group = new GroupSession(this.#connection, options);
    try {
      await this.#stayMember(group, options, joined);
    } finally {
      await this.#revoke(this.#owned, options);
      await group.leave();
    }
  }

  async #stayMember(group: GroupSession, options: JoinOptions, joined: () => void): Promise<void> {
    let isMember = false;
    for (let attempts = 1; !this.#leaving; attempts++) {
      const answer = await group.join(this.#owned);
      if (answer.verdict !== 'member') {
        if (!isMember && attempts === FIRST_JOIN_ATTEMPTS_MAX) {
          throw new Unavailable('group-unavailable', `could not join group ${options.groupId}`, {
            cause: answer.error,
          });
        }
        await this.#heed(answer, group, options);
        continue;
      }
      joined();
      isMember = true;
      const beating = this.#beat(group, options);
      const given = difference(this.#owned, answer.partitions);
      try {
        await this.#revoke(given, options);
        await this.#assign(difference(answer.partitions, this.#owned), options);
      } catch (error) {
        beating.stop();
        throw error;
      }
      // What was given away must be dealt anew; else the membership lasts until a heartbeat says otherwise.
      if (given.length > 0) beating.stop();
      await this.#heed(await beating.done, group, options);
    }
  }

  /** What a verdict other than "you are a member" demands before joining again. */
  async #heed({ verdict, error }: Verdict, group: GroupSession, options: JoinOptions): Promise<void> {
    if (error !== undefined) this.#logger.debug({ err: error, group: options.groupId, verdict }, 'group membership');
    if (verdict === 'lost' || (verdict === 'away' && group.isSessionOver())) {
      if (this.#owned.length > 0) {
        const lost = { group: options.groupId, partitions: this.#owned, err: error };
        this.#logger.warn(lost, 'membership lost; another member may own the partitions');
      }
      await this.#revoke(this.#owned, options);
    }
    if (verdict === 'away') await sleep(RETRY_PAUSE_MS);
  }

  /** Heartbeats, also while handlers run, until told to stop or told anything but "you are a member". */
  #beat(group: GroupSession, { positions }: JoinOptions): { stop(): void; readonly done: Promise<Verdict> } {
    let stopped = false;
    let shownAtMs = performance.now();
    const beat = async (): Promise<Verdict> => {
      for (;;) {
        await this.#wake.wait(group.heartbeatMs);
        if (stopped || this.#leaving) return { verdict: 'rejoin' };
        const answer = await group.heartbeat();
        const isBlip = answer.verdict === 'away' && !group.isSessionOver();
        if (answer.verdict !== 'member' && !isBlip) return answer;
        if (positions === undefined || performance.now() - shownAtMs < SHOWN_EVERY_MS) continue;
        shownAtMs = performance.now();
        await group.show(positions());
      }
    };
    const stop = (): void => {
      stopped = true;
      this.#wake.fire();
    };
    const done = beat();
    // Handlers may still run when it fails; its failure is heard when they are done.
    done.catch(() => undefined);
    return { stop, done };
  }

  async #revoke(partitions: readonly number[], { handlers }: JoinOptions): Promise<void> {
    if (partitions.length === 0) return;
    this.#owned = difference(this.#owned, partitions);
    await handlers.revoked(partitions);
  }

  async #assign(partitions: readonly number[], { handlers }: JoinOptions): Promise<void> {
    if (partitions.length === 0) return;
    this.#owned = [...this.#owned, ...partitions];
    await handlers.assigned(partitions);
  }
}
