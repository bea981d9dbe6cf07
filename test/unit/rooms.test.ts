import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { violations } from '../support/rooms.ts';

const SERVICES = join(import.meta.dirname, '..', '..', 'services');

function found(file: string, source: string): string[] {
  return violations(new Map([[file, source]]));
}

describe('the rooms of services/', () => {
  it('hold what belongs in them, and import only what they may', () => {
    const files = globSync('**/*.ts', { cwd: SERVICES }).map((file) => file.replaceAll('\\', '/'));
    expect(files.length).toBeGreaterThan(100);
    const sources = new Map(files.map((file) => [file, readFileSync(join(SERVICES, file), 'utf8')]));
    expect(violations(sources)).toEqual([]);
  });
});

describe('the check of the rooms', () => {
  it.each([
    ['what lies above, in core', 'core/sums/exact.ts', "import { attribute } from '../join/attribution.ts';"],
    ['the platform, in core', 'core/join/group.ts', "import type { Log } from '../../platform/log/port.ts';"],
    ['learning, in policies', 'core/policies/best.ts', "export { merge } from '../learning/merge.ts';"],
    [
      'more of deciding than a snapshot, in learning',
      'core/learning/merge.ts',
      "import { decide } from '../deciding/decide.ts';",
    ],
    ["one of core's rooms, in its root", 'core/events.ts', "import { N } from './sums/layout.ts';"],
    ['Node, in core', 'core/random.ts', "import { randomBytes } from 'node:crypto';"],
    ['a package, in core', 'core/numerics/normal.ts', "import jstat from 'jstat';"],
    ['the platform, in contracts', 'contracts/codec.ts', "import { logger } from '../platform/logging.ts';"],
    ['a service, in the platform', 'platform/metrics.ts', "const { x } = await import('../learner/learner.ts');"],
    ['one service, in another', 'decider/start.ts', "import { x } from '../learner/config.ts';"],
    ['what lies outside services/', 'cli/main.ts', "import { x } from '../../deploy/local/ensure.ts';"],
    ['kafkajs, outside its adapter', 'learner/main.ts', "import { Kafka } from 'kafkajs';"],
    ["kafkajs's inside, outside its adapter", 'platform/log/port.ts', "import 'kafkajs/src/cluster/index.js';"],
    [
      'an implementation, outside main.ts',
      'learner/learner.ts',
      "import { KafkaLog } from '../platform/kafka/log.ts';",
    ],
    [
      'an implementation as a type, outside the platform',
      'replay/replay.ts',
      "import type { MemoryStore } from '../platform/store/memory.ts';",
    ],
    ['one implementation, in another', 'platform/kafka/log.ts', "import { EmbeddedLog } from '../embedded/log.ts';"],
  ])('finds an import of %s', (_what, file, source) => {
    expect(found(file, `/** A module. */\n${source}\n`)).toHaveLength(1);
  });

  it.each([
    ['the clock', 'Date.now()'],
    ['the date of today', 'new Date()'],
    ['chance', 'Math.random()'],
    ['timers', 'setTimeout(f, 1)'],
    ['the process', 'process.env.HOME'],
    ['a stopwatch', 'performance.now()'],
    ['bytes', 'Buffer.alloc(1)'],
  ])('finds %s in core, and nowhere else', (_what, expression) => {
    expect(found('core/quantize.ts', `export const x = ${expression};\n`)).toHaveLength(1);
    expect(found('platform/metrics.ts', `export const x = ${expression};\n`)).toEqual([]);
  });

  it('finds files that are too long, barrels, console and files in no room', () => {
    expect(found('core/events.ts', '\n'.repeat(401))).toHaveLength(1);
    expect(found('core/events.ts', '\n'.repeat(400))).toEqual([]);
    expect(found('core/join/index.ts', '')).toHaveLength(1);
    expect(found('cli/main.ts', "console.log('x');\n")).toHaveLength(1);
    expect(found('shared/util.ts', '')).toHaveLength(1);
  });

  it('allows what the table allows', () => {
    const allowed: [string, string][] = [
      ['core/learning/snapshot.ts', "import type { ArmStatistics } from '../deciding/snapshot.ts';"],
      ['core/policies/linucb.ts', "import { cholesky } from '../numerics/cholesky.ts';"],
      ['learner/main.ts', "import { KafkaLog } from '../platform/kafka/log.ts';"],
      ['platform/connection-config.ts', "import type { KafkaOptions } from './kafka/connection.ts';"],
      ['platform/kafka/log.ts', "import { Kafka } from 'kafkajs';"],
    ];
    expect(allowed.flatMap(([file, source]) => found(file, `${source}\n`))).toEqual([]);
  });

  it('is not taken in by comments and strings', () => {
    expect(
      found('core/quantize.ts', "// import { x } from '../learner/config.ts'; Date.now()\n/* Math.random() */\n"),
    ).toEqual([]);
    expect(found('core/quantize.ts', "export const x = 'Date.now()';\n")).toEqual([]);
    expect(found('core/quantize.ts', "const a = '//'; const b = Date.now();\n")).toHaveLength(1);
  });

  it('says what to do instead', () => {
    expect(found('learner/learner.ts', "import { KafkaLog } from '../platform/kafka/log.ts';\n")).toEqual([
      'learner/learner.ts imports platform/kafka/log.ts: only main.ts chooses an implementation: take the port as an option',
    ]);
  });
});
