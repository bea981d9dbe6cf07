/**
 * Measuring side by side: bodies that are to be compared run in turn, round after round, so that what else the machine does
 * meets all of them alike, and medians leave out the rounds that it met one alone.
 */

/** What is measured; its result keeps the compiler from leaving out the work. */
export type Body = () => number;

export interface Rounds {
  readonly rounds: number;
  /** Calls of each body in a round. */
  readonly calls: number;
}

/** By body, then by round, in nanoseconds a call. */
export type Times = readonly (readonly number[])[];

const sink = new Float64Array(1);

export function timesOf(bodies: readonly Body[], { rounds, calls }: Rounds): Times {
  const times = bodies.map((): number[] => []);
  const warmUpRounds = Math.ceil(rounds / 4);
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (const [index, body] of bodies.entries()) {
      const took = timeOf(body, calls);
      if (round >= 0) times[index]!.push(took);
    }
  }
  return times;
}

function timeOf(body: Body, calls: number): number {
  const start = process.hrtime.bigint();
  for (let call = 0; call < calls; call++) sink[0]! += body();
  return Number(process.hrtime.bigint() - start) / calls;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median over rounds of what one body took as a multiple of another. */
export function ratio(times: readonly number[], base: readonly number[]): number {
  return median(times.map((time, round) => time / base[round]!));
}

/**
 * Median bytes that a call leaves on the JavaScript heap. Needs node --expose-gc.
 * @param calls so few that no collection comes in between.
 */
export function heapBytes(body: Body, { rounds, calls }: Rounds): number {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run with node --expose-gc');
  // Compiled code boxes nothing that the interpreter does.
  timesOf([body], { rounds: 20, calls: 1_000 });
  const bytes = Array.from({ length: rounds }, () => {
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let call = 0; call < calls; call++) sink[0]! += body();
    return (process.memoryUsage().heapUsed - before) / calls;
  });
  return median(bytes);
}
