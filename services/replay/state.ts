/**
 * The folder of one replay: its plan and a store for each partition, so that a replay that was ended goes on where it was.
 * Owns the folder; another replay has another one, by what was asked for.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { Corrupt } from '../core/errors.ts';
import { lockFolder } from '../platform/store/segments/lock.ts';

/** Raised when plans or stores of an earlier form cannot be gone on with. */
const FORMAT = 1;
const PLAN_FILE = 'plan';
/** Of the lock's socket. */
const LOCK_NAME = 'lock';

export interface ReplayState<Plan> {
  readonly plan: Plan;
  /** Whether an earlier run has settled the plan. */
  readonly resumed: boolean;
  storeFolder(partition: number): string;
  /** Lets go of the folder, and removes it once the replay is done. */
  close(options: { readonly done: boolean }): Promise<void>;
}

/**
 * @param asked all that says what is replayed. @param restart forgets what there is.
 * @param makePlan settles what is replayed, when there is nothing to go on with; plain data.
 * @throws Unavailable `store-locked` while another process replays the same.
 */
export async function openState<Plan>(
  data: string,
  { asked, restart }: { readonly asked: unknown; readonly restart: boolean },
  makePlan: () => Promise<Plan>,
): Promise<ReplayState<Plan>> {
  const name = createHash('sha256')
    .update(JSON.stringify([FORMAT, asked]))
    .digest('hex')
    .slice(0, 16);
  const folder = join(data, name);
  await mkdir(folder, { recursive: true });
  const lock = await lockFolder(folder);
  try {
    if (restart) await empty(folder);
    const known = await readPlan<Plan>(folder);
    const plan = known ?? (await makePlan());
    if (known === null) await writePlan(folder, plan);
    return {
      plan,
      resumed: known !== null,
      storeFolder: (partition) => join(folder, String(partition)),
      async close({ done }) {
        if (done) await empty(folder);
        await lock.release();
        // Without the lock's socket, unless another process has begun the same meanwhile.
        if (done) await rmdir(folder).catch(() => {});
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The plan goes first: without it nothing that is left counts. */
async function empty(folder: string): Promise<void> {
  await rm(join(folder, PLAN_FILE), { force: true });
  for (const name of await readdir(folder)) {
    if (name !== LOCK_NAME) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function readPlan<Plan>(folder: string): Promise<Plan | null> {
  const path = join(folder, PLAN_FILE);
  try {
    return deserialize(await readFile(path)) as Plan;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Corrupt('replay-state', `${path} cannot be read; --restart begins anew`, { cause });
  }
}

/** As a whole, or not at all. */
async function writePlan(folder: string, plan: unknown): Promise<void> {
  const path = join(folder, PLAN_FILE);
  await writeFile(`${path}.new`, serialize(plan), { flush: true });
  await rename(`${path}.new`, path);
}
