/** A learner whose disk is full, a real one of a few megabytes: it says so, changes nothing, and goes on when there is room. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { get } from '../support/decider.ts';
import { Installation, type RunningProcess } from '../support/installation.ts';
import { Load } from '../support/load.ts';
import { until } from '../support/until.ts';

const PARTITIONS = 2;
const DISK_BYTES = 16_000_000;
/** What others have written leaves the learner so little. */
const FREE_BYTES = 400_000;
const BALLAST = 'of-others';
/** A disk of its own, in a mount namespace that ends with the learner, for which nobody has to be root. */
const OWN_DISK = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'];
const MOUNT = `mount -t tmpfs -o size=${DISK_BYTES} none "$CROUPIER_LEARNER_DATA" &&
  head -c ${DISK_BYTES - FREE_BYTES} /dev/zero > "$CROUPIER_LEARNER_DATA/${BALLAST}" &&
  exec "$0" "$@"`;

let installation: Installation;
let load: Load;
let folder: string;

beforeEach(async () => {
  const experiments = ['deploy/examples/home-banner.yaml'];
  installation = await Installation.create({ name: 'full-disk', partitions: PARTITIONS, experiments });
  load = new Load(installation, PARTITIONS);
  folder = await mkdtemp(join(tmpdir(), 'croupier-disk-'));
});
afterEach(async () => {
  await load?.close();
  await installation?.close();
  await rm(folder, { recursive: true, force: true });
});

function mayMount(): boolean {
  try {
    execFileSync(OWN_DISK[0]!, [...OWN_DISK.slice(1), 'mount -t tmpfs none /mnt']);
    return true;
  } catch {
    return false;
  }
}

function refusals({ lines }: RunningProcess): string[] {
  return lines.filter((line) => line.includes('"msg":"partition lost') && /is the disk full|ENOSPC/.test(line));
}

it.skipIf(!mayMount())(
  'a learner whose disk is full says so and publishes nothing of what it could not keep, until there is room',
  async () => {
    const learner = await installation.startLearner(
      { CROUPIER_LEARNER_DATA: folder, CROUPIER_LEARNER_COMMIT_INTERVAL: '20ms', CROUPIER_LEARNER_THREADS: '1' },
      [...OWN_DISK, MOUNT],
    );
    await load.send(500);
    await load.learned();
    await load.send(3_000);
    await until('the disk refuses', async () => refusals(learner).length > 3, 60_000);
    // The learner's own view of the disk, from outside.
    await rm(join('/proc', String(learner.started.pid), 'root', folder, BALLAST));
    await load.learned();
    expect((await get(Number(learner.started.port), '/ready')).body).toEqual({ status: 'ready' });
    expect(await learner.stop()).toBe(0);
    expect(await load.contradictions()).toEqual([]);
  },
);
