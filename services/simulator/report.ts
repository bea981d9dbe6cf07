/**
 * Comparisons as a page with charts: one file that needs no network. What it shows is made in the browser by
 * report/page.js with uPlot; here the parts and the figures are put together.
 */
import { readFileSync } from 'node:fs';
import type { Comparison } from './comparison.ts';
import { findEnvironment } from './environments/catalogue.ts';
import type { Setting } from './setting.ts';
import { MOVING_STEPS } from './summary.ts';

export function reportHtml(comparisons: readonly Comparison[], setting: Setting): string {
  const about = Object.fromEntries(setting.environments.map((name) => [name, findEnvironment(name).doc]));
  const figures = { comparisons, about, setting, movingSteps: MOVING_STEPS };
  const data = JSON.stringify(figures, plain).replaceAll('<', '\\u003c');
  const parts: Readonly<Record<string, string>> = {
    '/*STYLE*/': `${packageFile('uplot/dist/uPlot.min.css')}\n${ownFile('page.css')}`,
    '"DATA"': data,
    '/*CHARTS*/': packageFile('uplot/dist/uPlot.iife.min.js'),
    '/*SCRIPT*/': ownFile('page.js'),
  };
  // All at once, so that nothing inside a part is taken for a place of another one.
  return ownFile('page.html').replace(/\/\*[A-Z]+\*\/|"DATA"/g, (place) => parts[place]!);
}

function ownFile(name: string): string {
  return readFileSync(new URL(`./report/${name}`, import.meta.url), 'utf8');
}

function packageFile(path: string): string {
  return readFileSync(new URL(import.meta.resolve(path)), 'utf8');
}

/** What JSON lacks. */
function plain(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
