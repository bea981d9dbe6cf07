/** What a step of a simulation is on the clocks of the core. */

export const STEP_MS = 1_000;
/** Longer than any run, so that no reward comes too late. */
export const EVER_MS = 400 * 86_400_000;
export const STEPS_MAX = EVER_MS / STEP_MS;
