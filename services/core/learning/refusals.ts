/**
 * Why a decision that could be read can never be learned from: the core's share of the codes that stand in dead
 * letters. The contracts' table (contracts/refusals.ts) takes them in.
 */
import { Invalid } from '../errors.ts';

export const LEARNING_REFUSALS = {
  'unknown-experiment': 'No experiment of that id is defined.',
  'unknown-experiment-version': 'The decision was appended before the version of the experiment that it names.',
  'unknown-arm': 'The experiment has no such arm at the version that the decision names.',
  'repeated-arm': 'The decision deals one arm twice.',
  'feature-dimension': "The number of features is not that of the experiment's context.",
  'feature-pattern':
    'The experiment counts by pattern of the context, and the features are none that a context encodes as.',
} as const;

/** @throws Invalid, always. */
export function refuseToLearn(code: keyof typeof LEARNING_REFUSALS, message: string): never {
  throw new Invalid(code, message);
}
