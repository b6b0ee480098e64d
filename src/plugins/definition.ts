/** What a plugin's file exports, checked, and as native code is told of it. */
import type { PluginDescription } from '../native/scripts.ts';
import type { EventName, OptionDefinition, PluginDefinition } from './api.ts';
import { eventNames } from './layout.ts';
import { protocolNames } from './records.ts';

export type CallbackName =
  | 'onOpening'
  | 'onActive'
  | 'onPacket'
  | 'onPayload'
  | 'onGap'
  | 'onProtocol'
  | 'onClosing'
  | 'onConflict';

/** By bricks_event_type. */
export const callbackNames: readonly CallbackName[] = [
  'onOpening',
  'onActive',
  'onPacket',
  'onPayload',
  'onGap',
  'onProtocol',
  'onClosing',
  'onConflict',
];

const known: readonly string[] = [
  'name',
  'summary',
  'options',
  'figures',
  'copy',
  'protocols',
  'start',
  'events',
  'onBatch',
  'stop',
  ...callbackNames,
];
const functions: readonly string[] = ['start', 'onBatch', 'stop', ...callbackNames];
const optionTypes = { text: 's', number: 'n', boolean: 'b' } as const;
const presetTypes = { text: 'string', number: 'number', boolean: 'boolean' } as const;

class DefinitionError extends Error {}

function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new DefinitionError(message);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bitOf(names: readonly (string | undefined)[], name: unknown, what: string): number {
  const number = names.indexOf(name as string);
  const all = names.filter((each) => each !== undefined).join(', ');
  demand(
    number >= 0 && name !== undefined,
    `there is no ${what} ${String(name)}; there are ${all}`,
  );
  return 1 << number;
}

function bytesOf(copy: unknown, name: 'frame' | 'payload'): number {
  if (copy === undefined) return 0;
  demand(isRecord(copy), 'copy is not an object like { payload: 64 }');
  const wrong = Object.keys(copy).find((key) => key !== 'frame' && key !== 'payload');
  demand(wrong === undefined, `copy.${wrong} means nothing; there are copy.frame, copy.payload`);
  const bytes = copy[name] ?? 0;
  const good = typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= 0 && bytes <= 65535;
  demand(good, `copy.${name} is not a number of bytes from 0 to 65535`);
  return bytes as number;
}

function optionsOf(options: unknown): PluginDescription['options'] {
  if (options === undefined) return [];
  demand(isRecord(options), 'options is not an object');
  return Object.entries(options as Record<string, OptionDefinition>).map(([name, option]) => {
    demand(isRecord(option), `options.${name} is not an object`);
    const { type, summary, preset } = option;
    demand(Object.hasOwn(optionTypes, type), `options.${name}.type is not text, number or boolean`);
    demand(
      typeof summary === 'string',
      `options.${name}.summary is missing: one line on what it is`,
    );
    const given: string = typeof preset;
    const fits = preset === undefined || given === presetTypes[type];
    demand(fits, `options.${name}.preset is not a ${type}`);
    const described = { name, summary, type: optionTypes[type] };
    return preset === undefined ? described : { ...described, preset: String(preset) };
  });
}

function eventsOf(definition: PluginDefinition): number {
  const own = callbackNames.filter((name) => definition[name] !== undefined);
  if (definition.onBatch === undefined) {
    demand(
      definition.events === undefined,
      'events says what onBatch gets, and there is no onBatch',
    );
    demand(own.length > 0, `it has none of ${callbackNames.join(', ')}, onBatch: nothing to do`);
    return own.reduce((bits, name) => bits | (1 << callbackNames.indexOf(name)), 0);
  }
  demand(own.length === 0, `onBatch gets all events: put ${own.join(', ')} into it`);
  const { events } = definition;
  demand(
    Array.isArray(events) && events.length > 0,
    "onBatch needs events, like events: ['packet', 'closing']",
  );
  return events.reduce(
    (bits: number, name: EventName) => bits | bitOf(eventNames, name, 'event'),
    0,
  );
}

/** Throws with what is wrong with it. */
export function describe(exported: unknown): [PluginDefinition, PluginDescription] {
  demand(
    isRecord(exported),
    'it has no `export default definePlugin({ … })`: see docs/plugins.md, or bricks plugin new',
  );
  const wrong = Object.keys(exported).find((key) => !known.includes(key));
  demand(wrong === undefined, `${wrong} means nothing in a plugin; there are ${known.join(', ')}`);
  for (const name of ['name', 'summary'])
    demand(typeof exported[name] === 'string' && exported[name] !== '', `${name} is not a text`);
  for (const name of functions) {
    const given = exported[name];
    demand(given === undefined || typeof given === 'function', `${name} is not a function`);
  }
  const definition = exported as unknown as PluginDefinition;
  const figures = definition.figures ?? [];
  demand(
    Array.isArray(figures) && figures.every((name) => /^[a-z][a-z0-9_]*$/.test(name)),
    'figures is not a list of names of small letters, digits and _',
  );
  demand(figures.length <= 11, 'figures has more than 11 names');
  const protocols = definition.protocols ?? [];
  demand(Array.isArray(protocols), 'protocols is not a list of names');
  const description = {
    name: definition.name,
    summary: definition.summary,
    events: eventsOf(definition),
    protocols: protocols.reduce((bits, name) => bits | bitOf(protocolNames, name, 'protocol'), 0),
    frame: bytesOf(definition.copy, 'frame'),
    payload: bytesOf(definition.copy, 'payload'),
    options: optionsOf(definition.options),
    figures,
  };
  return [definition, description];
}
