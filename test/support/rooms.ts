/**
 * The rooms of services/ as a table, and what breaks it: a pure function of source texts. Cycles, barrels, `any` and
 * console are the linter's business too; here are the rules that it cannot know.
 */

/** Path from services/ on, such as `core/join/group.ts`, to source text. */
export type Sources = ReadonlyMap<string, string>;

interface Room {
  /** Path prefix of its files; the longest that fits is a file's room. */
  readonly name: string;
  /** Path prefixes that its files may import, beside their own room. */
  readonly may: readonly string[];
  /** What to do instead. */
  readonly instead: string;
}

const CORE_ROOT = [
  'core/errors.ts',
  'core/events.ts',
  'core/experiment.ts',
  'core/experiment-change.ts',
  'core/context.ts',
  'core/layout.ts',
  'core/patterns.ts',
  'core/quantize.ts',
  'core/random.ts',
];
const SERVICES = ['learner/', 'decider/', 'replay/', 'simulator/', 'client/', 'cli/'];

const ROOMS: readonly Room[] = [
  ...coreRooms({
    // A definition holds formulas.
    'core/': ['core/expressions/'],
    'core/numerics/': [],
    'core/sums/': [],
    'core/allocation/': [],
    'core/policies/': ['core/sums/', 'core/numerics/'],
    'core/expressions/': [],
    'core/join/': ['core/expressions/'],
    'core/evaluation/': ['core/numerics/'],
    'core/deciding/': ['core/policies/', 'core/allocation/'],
    // Of deciding only what a snapshot is: the learner builds what the decider reads.
    'core/learning/': ['core/expressions/', 'core/join/', 'core/sums/', 'core/policies/', 'core/deciding/snapshot.ts'],
  }),
  {
    name: 'contracts/',
    may: ['core/'],
    instead: 'give it what it needs as an argument, or move the waiting part to platform',
  },
  {
    name: 'platform/',
    may: ['core/', 'contracts/'],
    instead: 'take a function or a type of contracts or core as an option; the service wires it in its main.ts',
  },
  ...SERVICES.map((name) => ({
    name,
    may: ['core/', 'contracts/', 'platform/'],
    instead: 'services share nothing but core, contracts and platform: move the common part there',
  })),
];

function coreRooms(table: Readonly<Record<string, readonly string[]>>): Room[] {
  return Object.entries(table).map(([name, below]) => ({
    name,
    may: [...CORE_ROOT, ...below],
    instead: 'core depends downwards only: move the shared part down, or pass the value in from above',
  }));
}

/** Implementations of ports. A value of theirs is imported by main.ts, which chooses; by others of their own folder; by none else. */
const IMPLEMENTATIONS = [
  'platform/kafka/',
  'platform/embedded/',
  'platform/registry/',
  'platform/store/level.ts',
  'platform/store/memory.ts',
  'platform/mirror/disk.ts',
  'platform/mirror/redis.ts',
];

/** Packages that one place hides from all others. */
const PACKAGE_HOMES: Readonly<Record<string, string>> = {
  kafkajs: 'platform/kafka/',
  '@kafkajs/confluent-schema-registry': 'platform/registry/',
  ioredis: 'platform/mirror/redis.ts',
  avsc: 'contracts/',
};

/** Time, chance and the machine, which core takes as arguments or does without. */
const IMPURE =
  /\b(Date\.now\b|new Date\(\)|Math\.random\b|(?:set(?:Timeout|Interval|Immediate)|queueMicrotask|performance|process|Buffer|crypto|fetch)\b)/g;

const LINES_MAX = 400;

/** @returns one message a violation: the file, what is wrong, what to do instead. */
export function violations(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) => {
    const code = withoutComments(source);
    return [
      ...shapeOf(file, source),
      ...importsOf(code).flatMap((imported) => importViolations(file, imported)),
      ...impurities(file, code),
    ];
  });
}

function shapeOf(file: string, source: string): string[] {
  const found: string[] = [];
  const lines = source.split('\n').length - 1;
  if (lines > LINES_MAX) found.push(`${file}: ${lines} lines, allowed ${LINES_MAX}: split it by what its parts own`);
  if (/(^|\/)index\.ts$/.test(file)) found.push(`${file}: a barrel hides who uses what: import the file that has it`);
  if (/\bconsole\./.test(withoutComments(source))) {
    found.push(`${file}: console: log through the logger that is passed in, or write to process.stdout in the cli`);
  }
  if (roomOf(file) === undefined)
    found.push(`${file}: no room has this place: see DESIGN's table in test/support/rooms.ts`);
  return found;
}

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

function importViolations(file: string, { from, typeOnly }: Import): string[] {
  if (from.startsWith('.')) return relativeViolations(file, resolve(file, from), typeOnly);
  const name = packageName(from);
  const home = PACKAGE_HOMES[name];
  if (file.startsWith('core/')) {
    return [
      `${file} imports ${from}: core is pure and imports core alone: pass in what it gives, or move the line to contracts (bytes) or platform (waiting)`,
    ];
  }
  if (home !== undefined && !file.startsWith(home)) {
    return [`${file} imports ${name}: only ${home} knows that package: use the port that it stands behind`];
  }
  return [];
}

function relativeViolations(file: string, target: string, typeOnly: boolean): string[] {
  const room = roomOf(file);
  if (room === undefined) return [];
  if (target.startsWith('..'))
    return [`${file} imports ${target}: services/ stands alone: move what it needs into a room`];
  const allowed = roomOf(target) === room || room.may.some((prefix) => target.startsWith(prefix));
  if (!allowed) return [`${file} imports ${target}: ${room.name} may import ${listed(room)}: ${room.instead}`];
  const implementation = IMPLEMENTATIONS.find((prefix) => target.startsWith(prefix));
  if (implementation === undefined || file.endsWith('/main.ts')) return [];
  if (file.startsWith(folderOf(implementation)) || (typeOnly && file.startsWith('platform/'))) return [];
  return [`${file} imports ${target}: only main.ts chooses an implementation: take the port as an option`];
}

function impurities(file: string, code: string): string[] {
  if (!file.startsWith('core/')) return [];
  return [...withoutStrings(code).matchAll(IMPURE)].map(
    ([, name]) => `${file} uses ${name}: core has no clock, chance or machine: take the value as an argument`,
  );
}

function roomOf(file: string): Room | undefined {
  return ROOMS.filter(({ name }) => file.startsWith(name)).sort((a, b) => b.name.length - a.name.length)[0];
}

function listed(room: Room): string {
  return room.name.startsWith('core/')
    ? `core's root${room.may
        .slice(CORE_ROOT.length)
        .map((name) => `, ${name}`)
        .join('')}`
    : room.may.join(', ');
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function packageName(from: string): string {
  return from.split('/', from.startsWith('@') ? 2 : 1).join('/');
}

function resolve(file: string, from: string): string {
  return new URL(from, `file:///a/services/${file}`).pathname
    .replace(/^\/a\/services\//, '')
    .replace(/^\/.*/, (path) => `..${path}`);
}

const STATEMENT = /\b(?:import|export)\s+(type\s)?[^'"`;()=]*?\bfrom\s*['"]([^'"]+)['"]/g;
const BARE = /\bimport\s*['"]([^'"]+)['"]/g;
const DYNAMIC = /\b(?:import|require)\s*\(\s*['"`]([^'"`]+)['"`]/g;

function importsOf(code: string): Import[] {
  return [
    ...[...code.matchAll(STATEMENT)].map(([, type, from]) => ({ from: from!, typeOnly: type !== undefined })),
    ...[...code.matchAll(BARE), ...code.matchAll(DYNAMIC)].map(([, from]) => ({ from: from!, typeOnly: false })),
  ];
}

/** Strings stand before comments, so that `//` in a string is none. */
const STRING_OR_COMMENT =
  /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;

function withoutComments(source: string): string {
  return source.replace(STRING_OR_COMMENT, (_match, text: string | undefined) => text ?? ' ');
}

function withoutStrings(code: string): string {
  return code.replace(STRING_OR_COMMENT, "''");
}
