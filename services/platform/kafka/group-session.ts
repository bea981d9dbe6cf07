/**
 * The group requests of one member to its coordinator, and what the answers mean for it. Owns the member id, the
 * generation and when the coordinator last answered. Not here: the handlers, and when to ask what (membership.ts).
 * Source: https://kafka.apache.org/protocol.html; classic group protocol, consumer embedded protocol v1.
 */
import kafkajs from 'kafkajs';
import type { Broker } from 'kafkajs-internals';
import { Invalid } from '../../core/errors.ts';
import { balance, type GroupMember } from '../log/balance.ts';
import type { Position } from '../log/port.ts';
import type { Connection, Session } from './connection.ts';
import { typeOf } from './errors.ts';

/**
 * member: all is well. rejoin: join again, keeping what is owned. lost: no longer a member, others may own the
 * partitions. away: no answer, or a coordinator that is moving.
 */
export interface Verdict {
  readonly verdict: 'member' | 'rejoin' | 'lost' | 'away';
  readonly error?: unknown;
}

export type JoinAnswer =
  | { readonly verdict: 'member'; readonly partitions: readonly number[]; readonly error?: never }
  | (Verdict & { readonly verdict: 'rejoin' | 'lost' | 'away' });

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const PROTOCOL = 'croupier-cooperative';
/** How long the others wait for a member whose handler is running before the group goes on without it. */
const REBALANCE_TIMEOUT_MS = 60_000;
const HEARTBEAT_MS_MAX = 500;
const NO_DATA = Buffer.alloc(0);

const REJOIN: readonly string[] = ['REBALANCE_IN_PROGRESS'];
const LOST: readonly string[] = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'];

export class GroupSession {
  readonly heartbeatMs: number;
  readonly #connection: Connection;
  readonly #groupId: string;
  readonly #topic: string;
  readonly #sessionTimeoutMs: number;
  #memberId = '';
  #generationId = -1;
  #heardAtMs = performance.now();
  #coordinator: { readonly session: Session; readonly broker: Broker } | null = null;

  constructor(
    connection: Connection,
    options: { readonly groupId: string; readonly topic: string; readonly sessionTimeoutMs: number },
  ) {
    this.#connection = connection;
    this.#groupId = options.groupId;
    this.#topic = options.topic;
    this.#sessionTimeoutMs = options.sessionTimeoutMs;
    this.heartbeatMs = Math.min(HEARTBEAT_MS_MAX, options.sessionTimeoutMs / 10);
  }

  /** True when the coordinator, not having heard of us for so long, has given our partitions away. */
  isSessionOver(): boolean {
    return performance.now() - this.#heardAtMs >= this.#sessionTimeoutMs;
  }

  /**
   * Joins and gets a share; as the group's leader, also deals the shares.
   * @throws Invalid `unknown-topic`, `not-authorized`, `invalid-session-timeout`, `invalid-group`.
   */
  async join(owned: readonly number[]): Promise<JoinAnswer> {
    let partitions: readonly number[] = [];
    const outcome = await this.#ask('join', async (broker, session) => {
      const partitionCount = (await session.leaders(this.#topic)).length;
      const joined = await broker.joinGroup({
        groupId: this.#groupId,
        sessionTimeout: this.#sessionTimeoutMs,
        rebalanceTimeout: Math.max(REBALANCE_TIMEOUT_MS, this.#sessionTimeoutMs),
        memberId: this.#memberId,
        groupProtocols: [{ name: PROTOCOL, metadata: this.#metadata(owned) }],
      });
      this.#memberId = joined.memberId;
      this.#generationId = joined.generationId;
      const isLeader = joined.leaderId === joined.memberId;
      const shares = isLeader ? deal(joined.members.map(memberOf), partitionCount) : new Map<string, number[]>();
      const synced = await broker.syncGroup({
        groupId: this.#groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupAssignment: [...shares].map(([memberId, share]) => ({ memberId, memberAssignment: this.#share(share) })),
      });
      partitions = MemberAssignment.decode(synced.memberAssignment)?.assignment[this.#topic] ?? [];
    });
    return outcome.verdict === 'member' ? { verdict: 'member', partitions } : { ...outcome, verdict: outcome.verdict };
  }

  heartbeat(): Promise<Verdict> {
    return this.#ask('heartbeat', (broker) =>
      broker.heartbeat({
        groupId: this.#groupId,
        groupGenerationId: this.#generationId,
        memberId: this.#memberId,
      }),
    );
  }

  /** Best effort, as it only tells others; the next heartbeat finds what went wrong. */
  async show(positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return;
    const topics = [...Map.groupBy(positions, ({ topic }) => topic)].map(([topic, some]) => ({
      topic,
      partitions: some.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }));
    const [groupId, groupGenerationId, memberId] = [this.#groupId, this.#generationId, this.#memberId];
    const told = this.#ask('commit offsets of', (broker) =>
      broker.offsetCommit({ groupId, groupGenerationId, memberId, topics }),
    );
    // Refused for good, for lack of rights, say: a group whose lag nobody sees is as good a group.
    await told.catch(() => undefined);
  }

  /** Best effort: a coordinator that cannot hear it now will notice the silence. */
  async leave(): Promise<void> {
    if (this.#memberId === '') return;
    await this.#ask('leave', (broker) => broker.leaveGroup({ groupId: this.#groupId, memberId: this.#memberId }));
  }

  async #ask(act: string, request: (broker: Broker, session: Session) => Promise<unknown>): Promise<Verdict> {
    try {
      return await this.#connection.use(`${act} group ${this.#groupId}`, async (session) => {
        const answer = await this.#answer(session, request);
        if (answer.verdict !== 'away') this.#heardAtMs = performance.now();
        if (answer.verdict === 'lost') this.#memberId = '';
        return answer;
      });
    } catch (error) {
      if (error instanceof Invalid) throw error;
      return { verdict: 'away', error };
    }
  }

  /** Turns the group's own answers into verdicts, so that the connection takes only true failures for failures. */
  async #answer(session: Session, request: (broker: Broker, session: Session) => Promise<unknown>): Promise<Verdict> {
    if (this.#coordinator?.session !== session) {
      this.#coordinator = { session, broker: await session.coordinator(this.#groupId) };
    }
    try {
      await request(this.#coordinator.broker, session);
      return { verdict: 'member' };
    } catch (error) {
      const type = typeOf(error) ?? '';
      if (REJOIN.includes(type)) return { verdict: 'rejoin', error };
      if (LOST.includes(type)) return { verdict: 'lost', error };
      throw error;
    }
  }

  #metadata(owned: readonly number[]): Buffer {
    return MemberMetadata.encode({ version: 1, topics: [this.#topic], userData: Buffer.from(JSON.stringify(owned)) });
  }

  #share(partitions: readonly number[]): Buffer {
    return MemberAssignment.encode({ version: 1, assignment: { [this.#topic]: [...partitions] }, userData: NO_DATA });
  }
}

/** Balanced shares, less what another member still owns: it is asked to let go first, and joins again when it has. */
function deal(members: readonly GroupMember[], partitionCount: number): Map<string, number[]> {
  const ownerOf = new Map(members.flatMap(({ id, owned }) => owned.map((partition) => [partition, id] as const)));
  const isFreeFor = (id: string, partition: number): boolean => (ownerOf.get(partition) ?? id) === id;
  return new Map(
    [...balance(members, partitionCount)].map(([id, share]) => [
      id,
      share.filter((partition) => isFreeFor(id, partition)),
    ]),
  );
}

function memberOf({ memberId, memberMetadata }: { memberId: string; memberMetadata: Buffer }): GroupMember {
  const userData = MemberMetadata.decode(memberMetadata)?.userData.toString() ?? '';
  const owned: unknown = userData === '' ? [] : JSON.parse(userData);
  return { id: memberId, owned: Array.isArray(owned) ? owned.filter(Number.isSafeInteger) : [] };
}
