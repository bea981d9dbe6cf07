/** Formulas that are a straight line in one of their names. */
import { type Expression, evaluate } from './expression.ts';

export interface Line {
  readonly slope: number;
  readonly intercept: number;
}

/**
 * @param numberOf the numbers of all other names; `undefined` for what varies too.
 * @returns the expression as slope · name + intercept; `null` when it is not written as one.
 */
export function affineIn(
  expression: Expression,
  name: string,
  numberOf: (name: string) => number | undefined,
): Line | null {
  const line = lineOf(expression, name, numberOf);
  return line !== null && Number.isFinite(line.slope) && Number.isFinite(line.intercept) ? line : null;
}

function lineOf(expression: Expression, name: string, numberOf: (name: string) => number | undefined): Line | null {
  if (expression.kind === 'number') return constant(expression.value);
  if (expression.kind === 'name') {
    if (expression.name === name) return { slope: 1, intercept: 0 };
    const number = numberOf(expression.name);
    return number === undefined ? null : constant(number);
  }
  const to: Line[] = [];
  for (const part of expression.to) {
    const line = lineOf(part, name, numberOf);
    if (line === null) return null;
    to.push(line);
  }
  const [a, b] = to as [Line, Line];
  if (to.every(({ slope }) => slope === 0)) return constant(evaluate(expression, (other) => numberOf(other)!));
  switch (expression.operation) {
    case 'negate':
      return scaled(a, -1);
    case 'add':
      return { slope: a.slope + b.slope, intercept: a.intercept + b.intercept };
    case 'subtract':
      return { slope: a.slope - b.slope, intercept: a.intercept - b.intercept };
    case 'multiply':
      if (b.slope === 0) return scaled(a, b.intercept);
      return a.slope === 0 ? scaled(b, a.intercept) : null;
    case 'divide':
      return b.slope === 0 ? scaled(a, 1 / b.intercept) : null;
    default:
      return null;
  }
}

function constant(intercept: number): Line {
  return { slope: 0, intercept };
}

function scaled({ slope, intercept }: Line, factor: number): Line {
  return { slope: slope * factor, intercept: intercept * factor };
}
