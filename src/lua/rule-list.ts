/**
 * A Filter's rules as Lua tables. They live in native code, in a list whose number is the brick's
 * option `rules`; so they change without the graph, and stay when the graph changes.
 */
import { BricksError } from '../errors.ts';
import type { Brick } from '../flow/brick.ts';
import type { NativeBinding, Options, RuleInfo } from '../native/binding.ts';
import type { ApiContext } from './api.ts';
import { effectiveOptions } from './brick-options.ts';
import { type LuaValue, type Result, TableValue, typeName } from './values.ts';

const key = 'rules';

/** Lists are given back when the brick that has them is forgotten. */
const forgotten = new FinalizationRegistry<{ binding: NativeBinding; list: number }>((held) => {
  held.binding.closeRules(held.list);
});

function takesRules(context: ApiContext, kind: string): boolean {
  return context.rules.kinds.get(kind)?.options.some(({ name }) => name === key) ?? false;
}

/** The fields of one rule. */
export function ruleFields(where: string, table: LuaValue): Options {
  const example = 'like { address = "10.0.0.0/8", action = "drop" }';
  if (!(table instanceof TableValue) || table.list.length > 0) {
    throw new BricksError(
      'invalid_argument',
      `${where} must be a table with names, ${example}; got ${
        table instanceof TableValue ? 'a list' : typeName(table)
      }`,
    );
  }
  const fields: Options = {};
  for (const [name, value] of table.fields) {
    if (!['boolean', 'number', 'string'].includes(typeof value)) {
      throw new BricksError(
        'invalid_argument',
        `${where}: ${name} must be text, a number, true or false; got ${typeName(value)}`,
      );
    }
    fields[name] = value as string | number | boolean;
  }
  return fields;
}

/** A list of rules, each a table. */
export function ruleTables(where: string, value: LuaValue): Options[] {
  if (!(value instanceof TableValue) || value.fields.size > 0) {
    throw new BricksError(
      'invalid_argument',
      `${where} must be a list of rules, like { { address = "10.0.0.1" }, { mac = "..." } }; ` +
        `got ${value instanceof TableValue ? 'a table with names' : typeName(value)}`,
    );
  }
  return value.list.map((entry, i) => ruleFields(`${where}, rule #${i + 1}`, entry));
}

/** Parts `rules = { ... }` from the other options. */
export function splitRules<Given extends LuaValue>(
  where: string,
  kind: string,
  context: ApiContext,
  given: Given,
): { rest: Given; rules: Options[] | undefined } {
  const value = given instanceof TableValue ? given.fields.get(key) : undefined;
  if (!(given instanceof TableValue) || value === undefined || !takesRules(context, kind)) {
    return { rest: given, rules: undefined };
  }
  const rest = new TableValue();
  rest.list.push(...given.list);
  for (const [name, entry] of given.fields) if (name !== key) rest.fields.set(name, entry);
  return { rest: rest as Given & TableValue, rules: ruleTables(`${where}: rules`, value) };
}

/** Gives a new brick its list, where its kind has one. */
export function addRuleList(
  context: ApiContext,
  brick: Brick,
  rules: readonly Options[] | undefined,
): void {
  if (!takesRules(context, brick.kind)) return;
  const list = context.binding.openRules();
  forgotten.register(brick, { binding: context.binding, list });
  brick.options = { ...brick.options, [key]: list };
  if (rules !== undefined) context.binding.addRules(list, rules);
}

/** The number of the brick's list; throws where its kind has none. */
export function ruleListOf(where: string, brick: Brick): number {
  const list = brick.options[key];
  if (typeof list === 'number' && list > 0) return list;
  throw new BricksError(
    'invalid_argument',
    `${where}: ${brick.id} has no rules; a Filter has: f = Brick.new("Filter")`,
  );
}

/** Replaces the rules (undefined: leaves them) and does `change`: both, or nothing. */
export function withRules(
  context: ApiContext,
  brick: Brick,
  rules: readonly Options[] | undefined,
  change: () => void,
): void {
  if (rules === undefined) {
    change();
    return;
  }
  const list = ruleListOf('b:set', brick);
  const before = context.binding.listRules(list).map(fieldsOf);
  context.binding.replaceRules(list, rules);
  try {
    change();
  } catch (error) {
    context.binding.replaceRules(list, before);
    throw error;
  }
}

function fieldsOf(rule: RuleInfo): Options {
  const counts = new Set(['hits', 'bytes', 'dropped', 'seconds_left']);
  return Object.fromEntries(Object.entries(rule).filter(([name]) => !counts.has(name)));
}

/** For b:get(): the rules themselves in place of the number of their list. */
export function optionsWithRules(context: ApiContext, brick: Brick): Result {
  const list = brick.options[key];
  const options = effectiveOptions(context, brick.kind, brick.options);
  if (typeof list !== 'number' || !takesRules(context, brick.kind)) return options;
  const rules = context.binding.listRules(list).map(fieldsOf);
  return { ...options, [key]: rules } as unknown as Result;
}
