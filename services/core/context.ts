/** What a request tells about a unit, by name. Not here: how it becomes numbers (deciding/encode-context.ts). */

export type ContextValue = boolean | number | string;

export type Context = ReadonlyMap<string, ContextValue>;
