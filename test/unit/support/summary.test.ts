import { describe, expect, it } from 'vitest';
import { summarize, summaryLine } from '../../support/summary.ts';

const report = (numPassedTests: number, numFailedTests: number, testResults: unknown[] = []) =>
  JSON.stringify({ numPassedTests, numFailedTests, testResults });

describe('the summary of a test run', () => {
  it('counts what passed and what failed', () => {
    expect(summaryLine(summarize(report(7, 2), 1))).toBe('7 passed, 2 failed');
    expect(summaryLine(summarize(report(7, 0), 0))).toBe('7 passed, 0 failed');
  });

  it('counts a file that failed before its first test as one failure', () => {
    const broken = { status: 'failed', assertionResults: [] };
    const counted = { status: 'failed', assertionResults: [{ status: 'failed' }] };
    expect(summarize(report(7, 1, [broken, counted]), 1)).toEqual({ passed: 7, failed: 2 });
  });

  it('never calls a failed run a success, though every test passed', () => {
    expect(summarize(report(7, 0), 1)).toEqual({ passed: 7, failed: 1 });
    expect(summarize(report(7, 0), undefined)).toEqual({ passed: 7, failed: 1 });
  });

  it('counts a run without a report as one failure', () => {
    expect(summarize(undefined, 0)).toEqual({ passed: 0, failed: 1 });
  });
});
