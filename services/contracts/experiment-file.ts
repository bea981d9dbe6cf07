/**
 * Experiment files: YAML for people, one experiment a document. A wrong file is refused with every problem that it has,
 * each as file:line:column: path: value, what is allowed. Not here: versions; a file defines what version 1 would be.
 */
import type { z } from 'zod';
import { Invalid } from '../core/errors.ts';
import type { ArmId, ExperimentId } from '../core/events.ts';
import { contextDimension, type Experiment, type Forgetting, type PolicySpec } from '../core/experiment.ts';
import type { Formula } from '../core/expressions/expression.ts';
import { layoutArmIds } from '../core/layout.ts';
import type { Policy } from '../core/policies/policy.ts';
import { SECTIONS, type Sections } from './experiment-shape.ts';
import { layoutProblems } from './layout.ts';
import { DIMENSION_MAX } from './limits.ts';
import { unknownName } from './nearest.ts';
import { delayProblems, formulaProblems, rewardFormula } from './reward-formula.ts';
import { listing, type Path, type Problem, parseYaml, type YamlDocument } from './yaml-file.ts';

export type PolicyDescription = Pick<Policy, 'kind' | 'parameters' | 'contextual' | 'indicatorsOnly' | 'layoutsOnly'>;

/**
 * @param file its name, for messages. @param policies what policy kinds there are.
 * @returns at least one definition, each as version 1.
 * @throws Invalid `yaml` for errors of syntax, `experiment-file` listing every problem otherwise.
 */
export function parseExperimentFile(
  file: string,
  text: string,
  policies: readonly PolicyDescription[],
): readonly Experiment[] {
  const documents = parseYaml(file, text);
  if (documents.length === 0) throw new Invalid('experiment-file', `${file}: no experiment in it`);
  const problems: string[] = [];
  const experiments: Experiment[] = [];
  for (const document of documents) {
    const reader = new Reader(document.value, policies);
    const experiment = reader.read();
    const earlier = experiments.some(({ id }) => id === experiment?.id);
    if (earlier) reader.report(['id'], 'already defined above in this file');
    problems.push(...reader.problems.map((problem) => document.describe(problem)));
    if (experiment !== null) experiments.push(experiment);
  }
  if (problems.length > 0) throw new Invalid('experiment-file', listing(problems));
  return experiments;
}

/** What policies must fit. */
interface Declared {
  /** `undefined` when it is wrong itself. */
  readonly context: Sections['context'] | undefined;
  readonly hasLayout: boolean;
}

/** Without problems there are arms, whichever way they were given. */
type DefinedSections = Sections & { readonly arms: NonNullable<Sections['arms']> };

/** Reads one document and collects what is wrong with it; a section in order is checked even if others are not. */
class Reader {
  readonly problems: Problem[] = [];
  private readonly document: YamlDocument['value'];
  private readonly policies: readonly PolicyDescription[];

  constructor(document: YamlDocument['value'], policies: readonly PolicyDescription[]) {
    this.document = document;
    this.policies = policies;
  }

  report(path: Path, allowed: string, options: { readonly atKey?: boolean } = {}): void {
    this.problems.push({ path, allowed, ...options });
  }

  /** @returns `null` when there are problems. */
  read(): Experiment | null {
    const { document } = this;
    if (typeof document !== 'object' || document === null || Array.isArray(document)) {
      this.report([], `allowed is a mapping with the keys ${Object.keys(SECTIONS).join(', ')}`);
      return null;
    }
    const raw = new Map(Object.entries(document));
    for (const key of raw.keys()) if (!Object.hasOwn(SECTIONS, key)) this.unknownKey([key], Object.keys(SECTIONS));
    const read = Object.fromEntries(
      Object.entries(SECTIONS).map(([key, schema]) => [key, this.section(key, schema, raw.get(key))]),
    ) as Partial<Sections>;
    this.checkContext(read.context ?? []);
    const sections = { ...read, arms: this.armsOf(read, raw) };
    this.checkArms(sections);
    this.checkNamedArms(sections);
    this.checkReward(sections);
    const policies = this.policySpecs(sections, raw);
    return this.problems.length > 0 ? null : toExperiment(sections as DefinedSections, policies);
  }

  /** @returns `undefined` when the section is wrong, or optional and absent. */
  private section(key: string, schema: z.ZodType, value: unknown): unknown {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      const path = [key, ...(issue.path as (string | number)[])];
      if (issue.code === 'unrecognized_keys') {
        for (const unknown of issue.keys) this.unknownKey([...path, unknown], issue.message.split(', '));
      } else {
        this.report(path, issue.message);
      }
    }
    return undefined;
  }

  private unknownKey(path: Path, known: readonly string[]): void {
    this.report(path, unknownName('key', String(path.at(-1)), known), { atKey: true });
  }

  /** Those named one by one, or those of the layout. @returns `undefined` when they are wrong. */
  private armsOf({ arms, layout, context }: Partial<Sections>, raw: ReadonlyMap<string, unknown>): Sections['arms'] {
    if (raw.has('arms') === raw.has('layout')) this.report(['arms'], 'give either arms or layout');
    if (layout === undefined) return arms;
    const problems = layoutProblems(layout, context ?? []);
    for (const { path, allowed } of problems) this.report(path, allowed);
    if (problems.length > 0) return undefined;
    return layoutArmIds(layout.aspects).map((id) => ({ id, state: 'active', attributes: new Map() }));
  }

  private checkArms({ arms }: Partial<Sections>): void {
    if (arms === undefined) return;
    this.checkOnce(
      arms.map(({ id }) => id),
      (index) => ['arms', index],
    );
    if (arms.every(({ state }) => state === 'retired')) this.report(['arms'], 'at least one must be active');
  }

  private checkNamedArms({ arms, fallback, holdout }: Partial<Sections>): void {
    if (arms === undefined) return;
    const active = arms.filter(({ state }) => state === 'active').map(({ id }) => id);
    const check = (path: Path, id: string): void => {
      if (!active.includes(id)) this.report(path, unknownName('active arm', id, active));
    };
    if (fallback !== undefined) check(['fallback'], fallback);
    if (holdout !== undefined && holdout !== null) check(['holdout', 'arm'], holdout.arm);
  }

  private checkContext(context: Sections['context']): void {
    this.checkOnce(
      context.map(({ name }) => name),
      (index) => ['context', index, 'name'],
    );
    context.forEach((feature, index) => {
      if (feature.kind === 'category') this.checkOnce(feature.values, (value) => ['context', index, 'values', value]);
      if (feature.kind === 'cross') this.checkOnce(feature.of, (crossed) => ['context', index, 'of', crossed]);
    });
    if (!this.crossesExist(context)) return;
    const dimension = contextDimension(context);
    if (dimension > DIMENSION_MAX) {
      this.report(['context'], `encodes to ${dimension} numbers, allowed ${DIMENSION_MAX}`);
    }
  }

  private crossesExist(context: Sections['context']): boolean {
    const crossable = context.filter(({ kind }) => kind === 'boolean' || kind === 'category').map(({ name }) => name);
    const problems = this.problems.length;
    context.forEach((feature, index) => {
      if (feature.kind !== 'cross') return;
      feature.of.forEach((name, at) => {
        if (crossable.includes(name)) return;
        this.report(['context', index, 'of', at], unknownName('boolean or category of the context', name, crossable));
      });
    });
    return this.problems.length === problems;
  }

  private checkReward({ arms, context, reward }: Partial<Sections>): void {
    if (reward === undefined) return;
    if (reward.min >= reward.max) this.report(['reward', 'min'], `must be below max ${reward.max}`);
    const formula = this.formulaOf(reward);
    // What it may read is known when all of that is right.
    if (formula === null || arms === undefined || context === undefined) return;
    const problems = formulaProblems(formula, { metrics: reward.metrics, arms, context });
    for (const problem of problems) this.report(['reward', 'value'], problem);
    if (problems.length > 0) return;
    for (const problem of delayProblems({ ...reward, value: formula }, arms)) this.report(['reward', 'delay'], problem);
  }

  /** @returns `null` when there is none. */
  private formulaOf({ value, metrics }: Sections['reward']): Formula | null {
    if (value === undefined && metrics.size > 1) {
      this.report(['reward', 'value'], `allowed is a formula over ${[...metrics.keys()].join(', ')}`);
      return null;
    }
    try {
      return rewardFormula(value, metrics);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      this.report(['reward', 'value'], error.message);
      return null;
    }
  }

  private checkOnce(names: readonly string[], pathOf: (index: number) => Path): void {
    const seen = new Set<string>();
    names.forEach((name, index) => {
      if (seen.has(name)) this.report(pathOf(index), 'stands twice, allowed once');
      seen.add(name);
    });
  }

  private policySpecs(
    { policy, policies, context }: Partial<Sections>,
    raw: ReadonlyMap<string, unknown>,
  ): readonly PolicySpec[] {
    if (raw.has('policy') === raw.has('policies')) {
      this.report(['policy'], 'give either policy or policies');
    }
    const declared = { context, hasLayout: raw.has('layout') };
    const only = policy === undefined ? [] : [this.policySpec(policy, ['policy'], declared)];
    const listed = (policies ?? []).map((entry, index) => this.policySpec(entry, ['policies', index], declared));
    return [...only, ...listed];
  }

  private policySpec({ kind, ...given }: { readonly kind: string }, path: Path, declared: Declared): PolicySpec {
    const description = this.policies.find((candidate) => candidate.kind === kind);
    const parameters = new Map<string, number>();
    if (description === undefined) {
      this.report(
        [...path, 'kind'],
        unknownName(
          'policy',
          kind,
          this.policies.map((candidate) => candidate.kind),
        ),
      );
      return { kind, parameters };
    }
    this.checkFit(description, [...path, 'kind'], declared);
    const names = description.parameters.map(({ name }) => name);
    for (const name of Object.keys(given))
      if (!names.includes(name)) this.unknownKey([...path, name], ['kind', ...names]);
    const values = new Map<string, unknown>(Object.entries(given));
    for (const { name, default: byDefault, min, max } of description.parameters) {
      const value = values.has(name) ? values.get(name) : byDefault;
      if (typeof value === 'number' && value >= min && value <= max) parameters.set(name, value);
      else this.report([...path, name], `allowed is a number from ${min} to ${max}`);
    }
    return { kind, parameters };
  }

  private checkFit(
    { contextual, indicatorsOnly, layoutsOnly }: PolicyDescription,
    path: Path,
    { context, hasLayout }: Declared,
  ): void {
    if (layoutsOnly !== undefined && !hasLayout) {
      this.report(path, 'learns what variants do, but arms are named one by one; declare a layout in place of arms');
    }
    if (context === undefined) return;
    if (contextual && layoutsOnly === undefined && context.length === 0) {
      this.report(path, 'learns from a context, but none is declared');
    }
    const number = context.find(({ kind }) => kind === 'number');
    if (indicatorsOnly === undefined || number === undefined) return;
    this.report(
      path,
      `learns from features that are 0 or 1, but ${number.name} is a number; declare ranges as a category`,
    );
  }
}

function toExperiment(sections: DefinedSections, policies: readonly PolicySpec[]): Experiment {
  const { arms, reward, attribution } = sections;
  const firstActive = arms.find(({ state }) => state === 'active')!;
  return {
    id: sections.id as ExperimentId,
    version: 1,
    state: 'active',
    arms: arms.map(({ id, state, attributes }) => ({ id: id as ArmId, state, sinceVersion: 1, attributes })),
    layout: sections.layout ?? null,
    policies,
    floor: sections.floor,
    fallbackArmId: (sections.fallback ?? firstActive.id) as ArmId,
    slots: sections.slots,
    holdout: sections.holdout && { share: sections.holdout.share, armId: sections.holdout.arm as ArmId },
    context: sections.context,
    reward: { ...reward, value: rewardFormula(reward.value, reward.metrics) },
    attribution: { model: attribution.model, windowMs: attribution.window },
    cohortMs: sections.cohort,
    forgetting: forgettingOf(sections),
    prior: [],
    pendingExposure: sections.pendingExposure,
    promotion: null,
    appliedAtMs: [],
  };
}

function forgettingOf({ forgetting }: Sections): Forgetting | null {
  if (forgetting === null) return null;
  return 'halfLife' in forgetting
    ? { kind: 'half-life', spanMs: forgetting.halfLife, sinceVersion: 1 }
    : { kind: 'window', spanMs: forgetting.window, sinceVersion: 1 };
}
