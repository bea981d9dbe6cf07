/**
 * How far a long piece of work is, and how fast it goes: a bar on a terminal, a line for every tenth elsewhere. Owns the
 * bar's line.
 */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  /** @param done never goes back. @param before how much of it was done before this run, which says nothing of the rate. */
  update(done: number, before?: number): void;
  /** Leaves what was shown and frees the line; harmless to repeat. */
  stop(): void;
}

export interface ProgressOptions {
  readonly label: string;
  /** What 100 % is, at least 0. */
  readonly total: number;
  /** What is counted, such as `events`. */
  readonly unit: string;
  /** Standard error, as a rule: what a command is asked for goes to standard output. */
  readonly to: NodeJS.WriteStream;
  /** Milliseconds; a clock that only goes on. */
  nowMs?(): number;
}

const STEPS = 10;

export function startProgress(options: ProgressOptions): Progress {
  const { nowMs = () => performance.now() } = options;
  const startedMs = nowMs();
  const rateOf = (done: number): string => {
    const rate = (1_000 * done) / (nowMs() - startedMs);
    return Number.isFinite(rate) ? `${Math.round(rate)} a second` : 'at once';
  };
  return options.to.isTTY ? bar(options, rateOf) : lines(options, rateOf);
}

function bar({ label, total, unit, to }: ProgressOptions, rateOf: (done: number) => string): Progress {
  const format = `${label} {bar} {percentage}% | {value}/{total} ${unit} | {rate} | {eta_formatted} left`;
  const shown = new SingleBar({ format, stream: to, hideCursor: true, gracefulExit: false }, Presets.shades_classic);
  shown.start(total, 0, { rate: '' });
  return {
    update: (done, before = 0) => shown.update(done, { rate: rateOf(done - before) }),
    stop: () => shown.stop(),
  };
}

function lines({ label, total, unit, to }: ProgressOptions, rateOf: (done: number) => string): Progress {
  let shownSteps = 0;
  return {
    update(done, before = 0) {
      const steps = total === 0 ? STEPS : Math.floor((done * STEPS) / total);
      if (steps <= shownSteps) return;
      shownSteps = steps;
      const percent = Math.round((steps * 100) / STEPS);
      to.write(`${label}: ${percent}% (${done}/${total} ${unit}, ${rateOf(done - before)})\n`);
    },
    stop() {},
  };
}
