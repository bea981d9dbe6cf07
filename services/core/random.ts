/**
 * Seeded chance, passed as an argument to whatever needs some: tests, the simulator, and policies that estimate their
 * probabilities by trial. No decision is drawn by it; those draw by hash (allocation/hash.ts).
 */

export interface Random {
  /** Uniform in [0, 1), 53 bits. */
  next(): number;
  /** Standard normal. */
  normal(): number;
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded as there: (0, low, high, 1), twelve outputs dropped. @param seed an integer of at most 53 bits. */
export function seededRandom(seed: number): Random {
  let a = 0;
  let b = seed | 0;
  let c = Math.floor(seed / 2 ** 32) | 0;
  let counter = 1;

  function bits32(): number {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out >>> 0;
  }
  function next(): number {
    const high = bits32();
    return (high * 2 ** 21 + (bits32() >>> 11)) / 2 ** 53;
  }
  for (let i = 0; i < 12; i++) bits32();

  return {
    next,
    // Box–Muller; one of the pair is dropped so that the stream has no hidden second state. 1 − u keeps the logarithm finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}
