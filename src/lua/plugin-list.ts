/**
 * A Session's plugins as Lua tables. They live in native code, in a list whose number is the
 * brick's option `plugins`; so they are loaded anew without the graph, and stay when the graph
 * changes.
 */
import { BricksError } from '../errors.ts';
import type { Brick } from '../flow/brick.ts';
import type { NativeBinding, Options, OptionValue, PluginEntry } from '../native/binding.ts';
import type { ApiContext } from './api.ts';
import { type LuaValue, type Result, TableValue, typeName } from './values.ts';

const key = 'plugins';
const example =
  '{ "fw.so", { name = "log", path = "log.lua", options = { file = "flows.json" } } }';

/** Lists are given back when the brick that has them is forgotten. */
const forgotten = new FinalizationRegistry<{ binding: NativeBinding; list: number }>((held) => {
  held.binding.closePlugins(held.list);
});

function takesPlugins(context: ApiContext, kind: string): boolean {
  return context.rules.kinds.get(kind)?.options.some(({ name }) => name === key) ?? false;
}

function optionValue(where: string, name: string, value: LuaValue): OptionValue {
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') {
    return value;
  }
  if (value instanceof TableValue && value.fields.size === 0) {
    const texts = value.list.filter((entry) => typeof entry === 'string');
    if (texts.length === value.list.length) return texts;
  }
  throw new BricksError(
    'invalid_argument',
    `${where}: ${name} must be text, a number, true, false or a list of texts; ` +
      `got ${typeName(value)}`,
  );
}

function optionsOf(where: string, table: LuaValue): Options {
  if (!(table instanceof TableValue) || table.list.length > 0) {
    throw new BricksError(
      'invalid_argument',
      `${where} must be a table with names, like { file = "flows.json" }; got ${typeName(table)}`,
    );
  }
  const options: Options = {};
  for (const [name, value] of table.fields) options[name] = optionValue(where, name, value);
  return options;
}

function entryOf(where: string, entry: LuaValue): PluginEntry {
  if (typeof entry === 'string') return { keys: { path: entry }, options: {} };
  const [path, ...more] = entry instanceof TableValue ? entry.list : [];
  if (!(entry instanceof TableValue) || more.length > 0) {
    throw new BricksError(
      'invalid_argument',
      `${where} must be a file's name or a table with path, like ${example}; ` +
        `got ${typeName(entry)}`,
    );
  }
  const keys: Options = {};
  let options: Options = {};
  for (const [name, value] of entry.fields) {
    if (name === 'options') options = optionsOf(`${where}: options`, value);
    else keys[name] = optionValue(where, name, value);
  }
  if (path !== undefined) {
    if ('path' in keys) {
      throw new BricksError('invalid_argument', `${where}: two files are given; one is a plugin`);
    }
    Object.assign(keys, { path: optionValue(where, 'the file', path) });
  }
  return { keys, options };
}

function entriesOf(where: string, value: LuaValue): PluginEntry[] {
  if (!(value instanceof TableValue) || value.fields.size > 0) {
    throw new BricksError(
      'invalid_argument',
      `${where} must be a list of plugins, like ${example}; ` +
        `got ${value instanceof TableValue ? 'a table with names' : typeName(value)}`,
    );
  }
  return value.list.map((entry, i) => entryOf(`${where}, #${i + 1}`, entry));
}

/** Parts `plugins = { ... }` from the other options. */
export function splitPlugins<Given extends LuaValue>(
  where: string,
  kind: string,
  context: ApiContext,
  given: Given,
): { rest: Given; plugins: PluginEntry[] | undefined } {
  const value = given instanceof TableValue ? given.fields.get(key) : undefined;
  if (!(given instanceof TableValue) || value === undefined || !takesPlugins(context, kind)) {
    return { rest: given, plugins: undefined };
  }
  const rest = new TableValue();
  rest.list.push(...given.list);
  for (const [name, entry] of given.fields) if (name !== key) rest.fields.set(name, entry);
  return { rest: rest as Given & TableValue, plugins: entriesOf(`${where}: plugins`, value) };
}

/** Loads; what could not be, but need not, is said. All, or nothing. */
function load(context: ApiContext, list: number, plugins: readonly PluginEntry[]): void {
  context.binding.setPlugins(list, plugins);
  for (const text of context.binding.pluginWarnings(list)) {
    context.write('stderr', `plugin ${text}\n`);
  }
}

/** Gives a new brick its list, where its kind has one. */
export function addPluginList(
  context: ApiContext,
  brick: Brick,
  plugins: readonly PluginEntry[] | undefined,
): void {
  if (!takesPlugins(context, brick.kind)) return;
  const list = context.binding.openPlugins();
  forgotten.register(brick, { binding: context.binding, list });
  brick.options = { ...brick.options, [key]: list };
  if (plugins !== undefined) load(context, list, plugins);
}

/** The number of the brick's list; throws where its kind has none. */
export function pluginListOf(where: string, brick: Brick): number {
  const list = brick.options[key];
  if (typeof list === 'number' && list > 0) return list;
  throw new BricksError(
    'invalid_argument',
    `${where}: ${brick.id} has no plugins; a Session has: s = Brick.new("Session")`,
  );
}

function entriesNow(context: ApiContext, list: number): PluginEntry[] {
  return context.binding.listPlugins(list).map(({ keys, options }) => ({ keys, options }));
}

/** Replaces the plugins (undefined: leaves them) and does `change`: both, or nothing. */
export function withPlugins(
  context: ApiContext,
  brick: Brick,
  plugins: readonly PluginEntry[] | undefined,
  change: () => void,
): void {
  if (plugins === undefined) {
    change();
    return;
  }
  const list = pluginListOf('b:set', brick);
  const before = entriesNow(context, list);
  load(context, list, plugins);
  try {
    change();
  } catch (error) {
    context.binding.setPlugins(list, before);
    throw error;
  }
}

export function reloadPlugins(context: ApiContext, brick: Brick): void {
  const list = pluginListOf('b:reload', brick);
  context.binding.reloadPlugins(list);
  for (const text of context.binding.pluginWarnings(list)) {
    context.write('stderr', `plugin ${text}\n`);
  }
}

/** For b:get(): the plugins themselves in place of the number of their list. */
export function optionsWithPlugins(context: ApiContext, brick: Brick, options: Result): Result {
  const list = brick.options[key];
  if (typeof list !== 'number' || !takesPlugins(context, brick.kind)) return options;
  const plugins = entriesNow(context, list).map((entry) => ({
    ...entry.keys,
    options: entry.options,
  }));
  return { ...(options as object), [key]: plugins } as unknown as Result;
}
