/**
 * Formulas that an experiment's definition may hold, such as `metric.ltv - arm.cost`: a tree of arithmetic over named
 * numbers. Float64 and no transcendental functions, so the same inputs give the same bits anywhere.
 * Not here: their text (contracts/expression-text.ts), nor what the names mean (join/).
 */

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'apply'; readonly operation: Operation; readonly to: readonly Expression[] };

/** A formula as it was written, and what that says. */
export interface Formula {
  readonly text: string;
  readonly expression: Expression;
}

/** Comparisons and logic give 1 or 0, and whatever is not 0 holds. */
const OPERATIONS = {
  negate: (a: number) => -a,
  not: (a: number) => Number(a === 0),
  add: (a: number, b: number) => a + b,
  subtract: (a: number, b: number) => a - b,
  multiply: (a: number, b: number) => a * b,
  divide: (a: number, b: number) => a / b,
  less: (a: number, b: number) => Number(a < b),
  lessOrEqual: (a: number, b: number) => Number(a <= b),
  greater: (a: number, b: number) => Number(a > b),
  greaterOrEqual: (a: number, b: number) => Number(a >= b),
  equal: (a: number, b: number) => Number(a === b),
  unequal: (a: number, b: number) => Number(a !== b),
  and: (a: number, b: number) => Number(a !== 0 && b !== 0),
  or: (a: number, b: number) => Number(a !== 0 || b !== 0),
  abs: (a: number) => Math.abs(a),
  min: (a: number, b: number) => Math.min(a, b),
  max: (a: number, b: number) => Math.max(a, b),
  clamp: (a: number, low: number, high: number) => Math.min(Math.max(a, low), high),
  choose: (test: number, then: number, otherwise: number) => (test !== 0 ? then : otherwise),
} as const satisfies Readonly<Record<string, (a: number, b: number, c: number) => number>>;

export type Operation = keyof typeof OPERATIONS;

/** @returns how many arguments the operation takes. */
export function arity(operation: Operation): number {
  return OPERATIONS[operation].length;
}

/** @param numberOf the number of each name in the expression. @returns perhaps not finite: 1/0 is Infinity, 0/0 NaN. */
export function evaluate(expression: Expression, numberOf: (name: string) => number): number {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'name':
      return numberOf(expression.name);
    case 'apply': {
      const [a, b, c] = expression.to;
      const apply: (a: number, b: number, c: number) => number = OPERATIONS[expression.operation];
      const value = (of: Expression | undefined) => (of === undefined ? Number.NaN : evaluate(of, numberOf));
      return apply(value(a), value(b), value(c));
    }
  }
}

/** @returns the names that it reads, in order of first appearance, without repeats. */
export function namesOf(expression: Expression): string[] {
  switch (expression.kind) {
    case 'number':
      return [];
    case 'name':
      return [expression.name];
    case 'apply':
      return [...new Set(expression.to.flatMap(namesOf))];
  }
}
