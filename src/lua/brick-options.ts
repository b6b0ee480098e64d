/** A brick's options as Lua tables and as native code wants them. */
import { BricksError } from '../errors.ts';
import type { Options, OptionValue } from '../native/binding.ts';
import type { ApiContext } from './api.ts';
import { type LuaValue, TableValue, typeName } from './values.ts';

function optionValue(where: string, name: string, value: LuaValue): OptionValue {
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') {
    return value;
  }
  if (value instanceof TableValue && value.fields.size === 0) {
    const { list } = value;
    if (list.every((entry) => typeof entry === 'number')) return list as number[];
    if (list.every((entry) => typeof entry === 'string')) return list as string[];
  }
  throw new BricksError(
    'invalid_argument',
    `${where}: option ${name} must be true or false, a number, text, or a list of numbers or of ` +
      `texts; got ${typeName(value)}`,
  );
}

/** Options by name from a table; what they may be is checked by the kind. */
export function tableOptions(where: string, kind: string, table: TableValue): Options {
  if (table.list.length > 0) {
    throw new BricksError(
      'invalid_argument',
      `${where}: options need names, like { tuple = 2 }; Brick.help("${kind}") lists them`,
    );
  }
  const options: Options = {};
  for (const [name, value] of table.fields) options[name] = optionValue(where, name, value);
  return options;
}

/**
 * Options completed with defaults. A range is all that a descriptor says of a number: the 3 in the
 * middle of a tuple's is refused here, not only when the brick is made.
 */
export function checkedOptions(context: ApiContext, kind: string, options: Options): Options {
  const checked = context.binding.checkBrickOptions(kind, options);
  const { tuple } = checked;
  if (tuple !== undefined && tuple !== 2 && tuple !== 4) {
    throw new BricksError(
      'invalid_argument',
      `${kind}: option tuple must be 2 (addresses) or 4 (addresses and ports), got ${tuple}`,
    );
  }
  return checked;
}

/**
 * Options as they hold: with those that nobody has given and whose default goes by another one
 * ("placement!=modulo").
 */
export function effectiveOptions(context: ApiContext, kind: string, options: Options): Options {
  const made: Options = { ...options };
  for (const option of context.rules.kinds.get(kind)?.options ?? []) {
    const [, other, value] = /^(\w+)!=(\w+)$/.exec(option.default) ?? [];
    if (other !== undefined) made[option.name] ??= made[other] !== value;
  }
  return made;
}

/**
 * The second argument of Brick.new: a table of options, or packet-bricks' split mode, which only a
 * LoadBalancer heeds: 2 is the 2-tuple, everything else the 4-tuple.
 */
export function newOptions(context: ApiContext, kind: string, split: LuaValue): Options {
  if (split === undefined) return checkedOptions(context, kind, {});
  if (split instanceof TableValue) {
    const options = tableOptions('Brick.new', kind, split);
    return checkedOptions(context, kind, options);
  }
  const isNumeral = typeof split === 'string' && split.trim() !== '';
  const mode = isNumeral ? Number(split) : split;
  if (typeof mode !== 'number' || Number.isNaN(mode)) {
    throw new BricksError(
      'invalid_argument',
      'Brick.new: argument #2 (split) must be 2, 4 or a table of options, ' +
        `got ${typeName(split)}; example: lb = Brick.new("LoadBalancer", 2)`,
    );
  }
  const takesTuple = context.rules.kinds.get(kind)?.options.some(({ name }) => name === 'tuple');
  const options: Options = takesTuple ? { tuple: mode === 2 ? 2 : 4 } : {};
  return checkedOptions(context, kind, options);
}
