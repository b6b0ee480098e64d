/**
 * Checks what a script passed against the table; says which argument is wrong and what it may be.
 */
import { BricksError } from '../errors.ts';
import { type Argument, Arguments, type Method } from './api.ts';
import { BrickHandle, type LuaValue, TableValue, typeName } from './values.ts';

/** `name` as in messages: `pe:link`. Extra arguments are ignored, as they always were. */
export function checkArguments(
  name: string,
  method: Method,
  values: readonly LuaValue[],
): Arguments {
  const checked = new Map<string, LuaValue | readonly LuaValue[]>();
  method.arguments.forEach((argument, i) => {
    const check = (value: LuaValue, index: number): LuaValue =>
      checkOne(`${name}: argument #${index + 1} (${argument.name})`, argument, value, method);
    if (argument.rest === undefined) {
      checked.set(argument.name, check(values[i], i));
      return;
    }
    // At least one, unless it is optional: then the rule for nothing is the argument's.
    const count = Math.max(values.length - i, argument.optional === undefined ? 1 : 0);
    const rest = Array.from({ length: count }, (_, k) => check(values[i + k], i + k));
    checked.set(argument.name, rest);
  });
  return new Arguments(checked);
}

function checkOne(where: string, argument: Argument, value: LuaValue, method: Method): LuaValue {
  if (value === undefined && argument.optional) return undefined;
  const fail = (wanted: string): never => {
    throw new BricksError(
      'invalid_argument',
      `${where} must be ${wanted}, got ${typeName(value)}; example: ${method.example}`,
    );
  };
  switch (argument.type) {
    case 'any':
      return value;
    case 'text':
      if (typeof value === 'string') return value;
      return typeof value === 'number' ? String(value) : fail('text');
    case 'integer':
    case 'number':
      return numberOf(argument, value) ?? fail(rangeText(argument));
    case 'brick':
      return value instanceof BrickHandle ? value : fail('a brick, made with Brick.new(kind)');
    case 'options':
      return value instanceof TableValue ? value : fail('a table of options, like { tuple = 2 }');
  }
}

/** Numeric text counts, as in Lua 5.1; undefined: not such a number. */
function numberOf(argument: Argument, value: LuaValue): number | undefined {
  const isNumeral = typeof value === 'string' && value.trim() !== '';
  const number = isNumeral ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return undefined;
  if (argument.type === 'integer' && !Number.isInteger(number)) return undefined;
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = argument;
  return number >= minimum && number <= maximum ? number : undefined;
}

function rangeText(argument: Argument): string {
  const what = argument.type === 'integer' ? 'a whole number' : 'a number';
  const { minimum, maximum } = argument;
  if (minimum !== undefined && maximum !== undefined)
    return `${what} from ${minimum} to ${maximum}`;
  if (maximum !== undefined) return `${what}, at most ${maximum}`;
  return minimum === undefined ? what : `${what}, at least ${minimum}`;
}
