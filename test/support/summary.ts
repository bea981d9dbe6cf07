/** Purpose: turns vitest's JSON report into the one line that ends `npm test`. Owns nothing. */
import { z } from 'zod';

const report = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

export interface Summary {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Counts tests, and as one failure each: a file that failed before its first test, a report that is not there or cannot
 * be read, and a run that failed though every test passed (an unhandled rejection, or no test at all).
 * @param json vitest's JSON report, undefined if it wrote none
 * @param exitCode vitest's own, undefined if a signal ended it
 */
export function summarize(json: string | undefined, exitCode: number | undefined): Summary {
  if (json === undefined) return { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests, testResults } = report.parse(JSON.parse(json));
  const brokenFiles = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  const failed = numFailedTests + brokenFiles.length;
  return { passed: numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

export function summaryLine({ passed, failed }: Summary): string {
  return `${passed} passed, ${failed} failed`;
}
