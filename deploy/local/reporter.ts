/** Purpose: tells a person what is going on, on standard error, so that standard output stays for results. Owns nothing. */

export interface Reporter {
  /** Something worth keeping on the screen. */
  line(text: string): void;
  /** How far a long step has come: one line rewritten on a terminal, elsewhere a new line now and then. */
  progress(text: string): void;
}

export const silent: Reporter = { line: () => {}, progress: () => {} };

const PLAIN_PROGRESS_EVERY_MS = 10_000;

export function standardErrorReporter(prefix: string): Reporter {
  const { stderr } = process;
  const clear = stderr.isTTY ? '\r\x1b[K' : '';
  let lastPlainMs = performance.now();
  return {
    line: (text) => void stderr.write(`${clear}${prefix}: ${text}\n`),
    progress: (text) => {
      if (stderr.isTTY) {
        stderr.write(`${clear}${`${prefix}: ${text}`.slice(0, stderr.columns - 1)}`);
      } else if (performance.now() - lastPlainMs >= PLAIN_PROGRESS_EVERY_MS) {
        lastPlainMs = performance.now();
        stderr.write(`${prefix}: ${text}\n`);
      }
    },
  };
}

export function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;
}
