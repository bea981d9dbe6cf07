/**
 * Formulas as people write them, parsed to the bounded tree of core/expressions: never to code.
 */
import jsep from 'jsep';
import { Invalid } from '../core/errors.ts';
import { arity, type Expression, type Formula, type Operation } from '../core/expressions/expression.ts';

const CHARS_MAX = 500;
const NODES_MAX = 100;
const IDENTIFIER = /^[A-Za-z_]\w*$/;

const BINARY: ReadonlyMap<string, Operation> = new Map([
  ['+', 'add'],
  ['-', 'subtract'],
  ['*', 'multiply'],
  ['/', 'divide'],
  ['<', 'less'],
  ['<=', 'lessOrEqual'],
  ['>', 'greater'],
  ['>=', 'greaterOrEqual'],
  ['==', 'equal'],
  ['!=', 'unequal'],
  ['&&', 'and'],
  ['||', 'or'],
]);

const UNARY: ReadonlyMap<string, Operation> = new Map([
  ['-', 'negate'],
  ['!', 'not'],
]);

const FUNCTIONS: ReadonlyMap<string, Operation> = new Map([
  ['abs', 'abs'],
  ['min', 'min'],
  ['max', 'max'],
  ['clamp', 'clamp'],
]);

/**
 * @param text numbers, true and false, names, the operators + - * / < <= > >= == != && || ! ?: and the functions abs,
 *   min, max, clamp(x, low, high). A name is dotted (`metric.ltv`) or, where it is no identifier, quoted
 *   (`metric["ltv-d7"]`).
 * @throws Invalid `expression` that says what is not allowed and what is.
 */
export function parseExpression(text: string): Expression {
  if (text.length > CHARS_MAX) {
    throw new Invalid('expression', `expression of ${text.length} characters, allowed ${CHARS_MAX}`);
  }
  const parsed = parsedBy(text);
  let nodes = 0;
  const toTree = (node: jsep.Expression): Expression => {
    if (++nodes > NODES_MAX) throw refused(text, `it has more than ${NODES_MAX} parts`);
    return tree(node as jsep.CoreExpression, text, toTree);
  };
  return toTree(parsed);
}

/** @throws as `parseExpression` does. */
export function parseFormula(text: string): Formula {
  return { text, expression: parseExpression(text) };
}

/** @returns how a formula names it: `metric.ltv`, or `metric["ltv-d7"]` where it is no identifier. */
export function nameText(of: string, name: string): string {
  return IDENTIFIER.test(name) ? `${of}.${name}` : `${of}[${JSON.stringify(name)}]`;
}

function parsedBy(text: string): jsep.Expression {
  try {
    return jsep(text);
  } catch (error) {
    throw refused(text, (error as Error).message);
  }
}

function tree(node: jsep.CoreExpression, text: string, inner: (node: jsep.Expression) => Expression): Expression {
  const apply = (operation: Operation, to: readonly jsep.Expression[]): Expression => ({
    kind: 'apply',
    operation,
    to: to.map(inner),
  });
  switch (node.type) {
    case 'Literal':
      return { kind: 'number', value: numberOf(node.value, text) };
    case 'Identifier':
    case 'MemberExpression':
      return { kind: 'name', name: dotted(node, text) };
    case 'UnaryExpression':
      return apply(known('operator', node.operator, UNARY, text), [node.argument]);
    case 'BinaryExpression':
      return apply(known('operator', node.operator, BINARY, text), [node.left, node.right]);
    case 'ConditionalExpression':
      return apply('choose', [node.test, node.consequent, node.alternate]);
    case 'CallExpression': {
      const name = dotted(node.callee as jsep.CoreExpression, text);
      const operation = known('function', name, FUNCTIONS, text);
      if (node.arguments.length === arity(operation)) return apply(operation, node.arguments);
      throw refused(text, `${name} has ${node.arguments.length} arguments, it takes ${arity(operation)}`);
    }
    default:
      throw refused(text, 'allowed is one formula of numbers, names, operators and functions');
  }
}

function numberOf(value: jsep.Literal['value'], text: string): number {
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw refused(text, `${JSON.stringify(value)} is no number`);
}

/** @returns `a.b` for a.b and a["b"]. */
function dotted(node: jsep.CoreExpression, text: string): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression' && node.object.type === 'Identifier' && node.optional !== true) {
    const object = (node.object as jsep.Identifier).name;
    if (!node.computed) return `${object}.${(node.property as jsep.Identifier).name}`;
    const { type, value } = node.property as jsep.Literal;
    if (type === 'Literal' && typeof value === 'string') return `${object}.${value}`;
  }
  throw refused(text, 'a name is a word, two words with a dot between, or a word and a quoted one: metric["ltv-d7"]');
}

function known(what: string, name: string, operations: ReadonlyMap<string, Operation>, text: string): Operation {
  const operation = operations.get(name);
  if (operation !== undefined) return operation;
  throw refused(text, `${what} ${name} is unknown, allowed are ${[...operations.keys()].join(' ')}`);
}

function refused(text: string, why: string): Invalid {
  return new Invalid('expression', `expression ${JSON.stringify(text)}: ${why}`);
}
