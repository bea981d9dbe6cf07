/** One run of `croupier replay --promote`: settles or goes on, replays the candidate, has it take over. */
import { parseExperimentFile } from '../contracts/experiment-file.ts';
import { allPolicies } from '../core/policies/registry.ts';
import { joinLimits } from '../platform/join/limits-config.ts';
import { type ReplayPorts, replayOverThreads } from './command.ts';
import type { ReplayValues } from './config.ts';
import { planPromotion, promote } from './promote.ts';
import { openState } from './state.ts';
import { onlyOne } from './what-if.ts';

export const PROMOTE_HELP = `
Promote: replays all that is retained by the definition in the file, up to where the live learners have published, puts its
sums on the log under a line of their own, and then appends the definition, which is the switch. From then on all decisions,
of earlier versions too, are learned by it. Learners that see it open their partitions again from the log, which takes
them as long as on an empty disk; deciders go on with the snapshot that they have, and deal the fallback arm where it lacks
the candidate's policy. Ended before the switch nothing has changed; the same command again finishes.`;

export type PromotePorts = Omit<ReplayPorts, 'into' | 'intoCodecs'>;

export interface Promoted {
  readonly experimentId: string;
  readonly version: number;
  readonly line: string;
  /** False when it had taken over before. */
  readonly changed: boolean;
  readonly cuts: readonly { readonly decisions: number; readonly rewards: number }[];
}

export async function runPromotion(
  values: ReplayValues,
  { file, text, restart }: { readonly file: string; readonly text: string; readonly restart: boolean },
  ports: PromotePorts,
): Promise<Promoted> {
  const wanted = onlyOne(file, parseExperimentFile(file, text, allPolicies()));
  const limits = joinLimits(values);
  const asked = ['promote', values.brokers, ports.topics, text, limits];
  const state = await openState(values.data, { asked, restart }, () => planPromotion(ports, wanted, limits));
  const settled = state.plan;
  if (state.resumed) ports.tell(`goes on with what was begun in ${values.data}; --restart would begin anew`);
  if (!settled.fromStart)
    ports.tell('the log begins later than the live sums: what retention has dropped is not learned');
  let done = false;
  try {
    const { replayed } = await replayOverThreads(ports, settled.plan, state.storeFolder);
    const { after, changed } = await promote(ports, settled, replayed);
    done = true;
    const { label, cuts } = after.promotion!;
    return {
      ...{ experimentId: after.id, version: after.version, line: label, changed },
      cuts: cuts.map(({ offsets }) => offsets),
    };
  } finally {
    await state.close({ done });
  }
}

/** @returns one line, ended. */
export function describePromoted({ experimentId, version, line, changed, cuts }: Promoted): string {
  const events = cuts.reduce((sum, { decisions, rewards }) => sum + decisions + rewards, 0);
  const what = changed ? `version ${version} has taken over` : `version ${version} had taken over before`;
  return `${experimentId}: ${what}, line ${line}, with what ${events} events teach\n`;
}
