/**
 * How far a long piece of work is: a bar on a terminal, a line for every tenth elsewhere. Owns the bar's line.
 */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  /** Never goes back. */
  update(done: number): void;
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
}

const STEPS = 10;

export function startProgress(options: ProgressOptions): Progress {
  return options.to.isTTY ? bar(options) : lines(options);
}

function bar({ label, total, unit, to }: ProgressOptions): Progress {
  const format = `${label} {bar} {percentage}% | {value}/{total} ${unit} | {eta_formatted} left`;
  const shown = new SingleBar({ format, stream: to, hideCursor: true, gracefulExit: false }, Presets.shades_classic);
  shown.start(total, 0);
  return { update: (done) => shown.update(done), stop: () => shown.stop() };
}

function lines({ label, total, unit, to }: ProgressOptions): Progress {
  let shownSteps = 0;
  return {
    update(done) {
      const steps = total === 0 ? STEPS : Math.floor((done * STEPS) / total);
      if (steps <= shownSteps) return;
      shownSteps = steps;
      to.write(`${label}: ${Math.round((steps * 100) / STEPS)}% (${done}/${total} ${unit})\n`);
    },
    stop() {},
  };
}
