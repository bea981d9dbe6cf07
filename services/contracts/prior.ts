/** Priors between their core type and their Avro records; checked against the arms and the context that they are for. */
import type { Arm, ArmPrior, Experiment } from '../core/experiment.ts';
import { keptLayout } from '../core/learning/natural-sums.ts';
import { ROUNDING } from '../core/learning/prior.ts';
import { VECTOR_START } from '../core/sums/layout.ts';
import { finite } from './checks.ts';
import { float64Bytes, float64Values } from './float64.ts';
import { PRIOR_BYTES_MAX } from './limits.ts';
import { refuse } from './refusals.ts';

export interface PriorRecord {
  readonly armId: string;
  readonly n: number;
  readonly sumR: number;
  readonly sumRR: number;
  readonly contextSums: Buffer;
}

export function toPrior(prior: readonly ArmPrior[]): readonly PriorRecord[] {
  return prior.map((one) => ({ ...one, contextSums: float64Bytes(Float64Array.from(one.contextSums)) }));
}

/** @param kept what the experiment keeps of contexts. */
export function fromPrior(
  raw: readonly PriorRecord[],
  arms: readonly Arm[],
  kept: Pick<Experiment, 'layout' | 'context'>,
): readonly ArmPrior[] {
  const bytes = raw.reduce(
    (sum, { armId, contextSums }) => sum + Buffer.byteLength(armId) + 32 + contextSums.length,
    0,
  );
  if (bytes > PRIOR_BYTES_MAX) {
    refuse(
      'too-large',
      `prior of ${raw.length} arms with ${bytes} bytes, allowed ${PRIOR_BYTES_MAX}: leave out the contexts, or arms`,
    );
  }
  const known = new Map(arms.map(({ id }) => [id as string, id]));
  return raw.map(({ armId, n, sumR, sumRR, contextSums }) => {
    const id = known.get(armId);
    if (id === undefined) refuse('contradictory', `prior of arm ${armId}, which is none of the arms or stands twice`);
    known.delete(armId);
    const name = (sum: string) => `${sum} in the prior of arm ${armId}`;
    const observations = finite(name('n'), n, { min: 0 });
    const slack = ROUNDING * (1 + observations);
    finite(name('Σr'), sumR, { min: 0, max: observations + slack });
    const least = observations > 0 ? (sumR * sumR) / observations : 0;
    finite(name('Σr²'), sumRR, { min: least - slack, max: sumR + slack });
    const values = float64Values(name('contextSums'), contextSums);
    const length = keptLayout(kept).size - VECTOR_START;
    if (values.length !== 0 && values.length !== length) {
      refuse(
        'contradictory',
        `${values.length} sums of contexts in the prior of arm ${armId}, its experiment keeps ${length}: allowed all or none`,
      );
    }
    return { armId: id, n: observations, sumR, sumRR, contextSums: Array.from(values, (x) => finite(name('Σ'), x)) };
  });
}
