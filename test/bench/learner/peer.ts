/**
 * The peer: Kafka Streams' Processor API with RocksDB, as its folder describes (README.md there), built and run here. Its
 * own events of the same shape, in topics of its own. Needs Java 17 and Maven.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHECKOUT } from '../../../deploy/local/ensure.ts';
import type { KafkaLog } from '../../../services/platform/kafka/log.ts';
import type { Rate } from './rate.ts';

const run = promisify(execFile);
const FOLDER = join(CHECKOUT, '.croupier', 'bench', 'kstreams');
const LIVE_EVENTS = 1_500_000;
const OUTPUT_BYTES_MAX = 10_000_000;
/**
 * Its decisions begin nine days ago, ten a second: with more of them its times would be yet to come, and brokers refuse such
 * records in its topics and in its changelogs.
 */
export const PEER_PENDING_MAX = 6_500_000;

export class Peer {
  private readonly brokers: string;

  private constructor(brokers: string) {
    this.brokers = brokers;
  }

  /** Builds a copy of it. @returns `null` when there is no such folder. */
  static async build(folder: string, brokers: string): Promise<Peer | null> {
    const isThere = await stat(join(folder, 'pom.xml')).then(
      () => true,
      () => false,
    );
    if (!isThere) return null;
    await mkdir(FOLDER, { recursive: true });
    await cp(folder, FOLDER, { recursive: true });
    await run('mvn', ['-q', '-B', 'package'], { cwd: FOLDER });
    return new Peer(brokers);
  }

  /** Fills its topics, unless they are full. @param pending decisions without reward that come first. */
  async prepare(log: KafkaLog, pending: number): Promise<void> {
    const topic = `${prefixOf(pending)}-d`;
    const count = await log.admin.partitionCount(topic);
    if (count !== null) {
      const held = (await log.admin.offsets(topic)).reduce((sum, { end }) => sum + end, 0);
      if (held === pending + 1_000_000) return;
      throw new Error(`${topic} is half filled: stop the stack (npm run stack -- down) and begin anew`);
    }
    await this.java('fill', prefixOf(pending), String(pending));
  }

  /** The Processor API, exactly once, commits each second, two threads. Only the last 1.5 million events are timed. */
  async measure(pending: number): Promise<Rate> {
    // Where the peer keeps its state.
    await rm('/tmp/kstreams-state', { recursive: true, force: true });
    const { stdout } = await this.java('app', prefixOf(pending), String(pending), 'papi', 'eos', '1000', '2', 'cache');
    const found = /: (\d+) events\/s, cpu ([\d.]+) us\/event/.exec(stdout);
    if (found === null) throw new Error(`the peer said no result: ${stdout}`);
    return { events: LIVE_EVENTS, eventsPerSecond: Number(found[1]), cpuUsPerEvent: Number(found[2]) };
  }

  private java(...args: string[]): Promise<{ stdout: string }> {
    const options = [
      '-Xmx1g',
      '-XX:+UseG1GC',
      `-Dboot=${this.brokers}`,
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
    ];
    return run('java', [...options, '-cp', 'target/classes:target/lib/*', 'ks.Main', ...args], {
      cwd: FOLDER,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
  }
}

function prefixOf(pending: number): string {
  return `peer-${pending}`;
}
