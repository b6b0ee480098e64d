/** `Brick`: what can be done to packets, described; an engine makes it happen. */
import { bricksOfEngine } from '../engine/registry.ts';
import { BricksError } from '../errors.ts';
import type { Brick } from '../flow/brick.ts';
import { nameFault } from '../flow/check.ts';
import { bareName } from '../flow/names.ts';
import { kindOf } from '../flow/rules.ts';
import {
  type ApiClass,
  type ApiContext,
  type Arguments,
  chained,
  type HandleMethod,
} from './api.ts';
import { drainMethods, forgetDrained } from './api-drain.ts';
import { groupMethods } from './api-groups.ts';
import { pluginMethods } from './api-plugins.ts';
import { ruleMethods } from './api-rules.ts';
import { checkedOptions, newOptions, tableOptions } from './brick-options.ts';
import { printHelp } from './help.ts';
import { addPluginList, optionsWithPlugins, splitPlugins, withPlugins } from './plugin-list.ts';
import { addRuleList, optionsWithRules, splitRules, withRules } from './rule-list.ts';
import { BrickHandle, type Result } from './values.ts';

/** The kinds that packet-bricks gave one input, where each call replaces the one before. */
const singleInput = new Set(['LoadBalancer', 'Duplicator', 'PcapWriter']);
const singleOutput = new Set(['Merge']);

function checkNames(context: ApiContext, where: string, names: readonly string[]): void {
  for (const name of names) {
    const fault = nameFault(name, context.rules);
    if (fault !== undefined) throw new BricksError('invalid_port_name', `${where}: ${fault}`);
  }
}

/**
 * Adds names to a side of the brick; where it has one place only, the first replaces what was
 * there.
 */
function connect(
  context: ApiContext,
  brick: Brick,
  side: 'input' | 'output',
  names: readonly string[],
): typeof chained {
  checkNames(context, `b:connect_${side}`, names);
  const single = (side === 'input' ? singleInput : singleOutput).has(brick.kind);
  const key = side === 'input' ? 'inputs' : 'outputs';
  context.registry.change(brick, () => {
    brick[key] = single ? names.slice(0, 1) : [...brick[key], ...names];
  });
  if (single && names.length > 1) {
    const ignored = names.slice(1).join(', ');
    context.write('stderr', `${brick.id} takes one ${side}, ${names[0]}; ignored: ${ignored}\n`);
  }
  return chained;
}

function connectOutputs(context: ApiContext, brick: Brick, args: Arguments): typeof chained {
  const prefix = args.text('interface');
  const count = args.optionalNumber('split') ?? 0;
  const names = Array.from({ length: Math.max(0, count) }, (_, i) => `${prefix}{${i}`);
  checkNames(context, 'b:connect_outputs', names);
  context.registry.change(brick, () => {
    brick.outputs = [...brick.outputs, ...names];
  });
  return chained;
}

function disconnectOutput(context: ApiContext, brick: Brick, args: Arguments): typeof chained {
  const asked = args.text('name');
  // What was said of a pipe when it was connected need not be said again.
  const name = brick.outputs.includes(asked)
    ? asked
    : (brick.outputs.find((output) => bareName(output) === asked) ?? asked);
  if (!brick.outputs.includes(name)) {
    throw new BricksError(
      'invalid_argument',
      `b:disconnect_output: argument #1 (name) must be an output of ${brick.id}, got "${name}"; ` +
        `outputs: ${brick.outputs.join(', ') || 'none'}`,
    );
  }
  context.registry.change(brick, () => {
    // null: may be there several times: the last one goes.
    const last = brick.outputs.lastIndexOf(name);
    brick.outputs = brick.outputs.filter((_, index) => index !== last);
    forgetDrained(brick, name);
  });
  return chained;
}

function setOptions(context: ApiContext, brick: Brick, args: Arguments): typeof chained {
  const given = splitRules('b:set', brick.kind, context, args.table('options'));
  const { rest, plugins } = splitPlugins('b:set', brick.kind, context, given.rest);
  const wanted = rest === undefined ? {} : tableOptions('b:set', brick.kind, rest);
  const options = checkedOptions(context, brick.kind, { ...brick.options, ...wanted });
  const change = () =>
    context.registry.change(brick, () => {
      brick.options = options;
    });
  withRules(context, brick, given.rules, () => withPlugins(context, brick, plugins, change));
  return chained;
}

const names = { name: 'names', type: 'text', rest: true } as const;

const brickMethods: readonly HandleMethod<Brick>[] = [
  {
    name: 'connect_input',
    listed: 'connect_input(<interfaces>)',
    arguments: [{ ...names, summary: 'port names, or outputs of the brick before' }],
    returns: 'the brick',
    summary: 'Adds inputs. LoadBalancer, Duplicator, PcapWriter: one, which replaces the old one.',
    example: 'lb:connect_input("eth3")',
    call: (context, self, args) => connect(context, self, 'input', args.texts('names')),
  },
  {
    name: 'connect_output',
    listed: 'connect_output(<interfaces>)',
    arguments: [{ ...names, summary: 'port names' }],
    returns: 'the brick',
    summary: 'Adds outputs, also while the engine runs. Merge: one, which replaces the old one.',
    example: 'lb:connect_output("eth3{0", "eth3{1")',
    call: (context, self, args) => connect(context, self, 'output', args.texts('names')),
  },
  {
    name: 'connect_outputs',
    listed: 'connect_outputs(<interface>, split)',
    arguments: [
      { name: 'interface', type: 'text', summary: 'what stands before the brace' },
      {
        name: 'split',
        type: 'integer',
        optional: true,
        maximum: 4096,
        summary: 'how many; the first is number 0',
      },
    ],
    returns: 'the brick',
    summary: 'Adds the pipes interface{0 to interface{split-1.',
    example: 'lb:connect_outputs("eth3", 4)',
    call: connectOutputs,
  },
  {
    name: 'disconnect_output',
    arguments: [{ name: 'name', type: 'text', summary: 'one of its outputs' }],
    returns: 'the brick',
    summary: 'Removes an output, also while the engine runs.',
    example: 'lb:disconnect_output("eth3{1")',
    call: disconnectOutput,
  },
  {
    name: 'link',
    arguments: [{ name: 'bricks', type: 'brick', rest: true, summary: 'the bricks behind it' }],
    returns: 'the brick',
    summary:
      'Chains bricks behind this one; which output feeds which goes by name, eth3{0 to eth3}0.',
    example: 'lb:link(mrg)',
    call: (context, self, args) => {
      context.registry.chain(self, args.bricks('bricks'));
      return chained;
    },
  },
  {
    name: 'set',
    arguments: [{ name: 'options', type: 'options', summary: 'options by name' }],
    returns: 'the brick',
    summary: 'Changes options, also while the engine runs. Brick.help(kind) lists them.',
    example: 'f:set{ expression = "tcp port 443" }',
    call: setOptions,
  },
  {
    name: 'get',
    arguments: [],
    returns: 'a table of all its options',
    summary: 'The options as they are.',
    example: 'lb:get().tuple',
    call: (context, self) => optionsWithPlugins(context, self, optionsWithRules(context, self)),
  },
  ...drainMethods,
  ...groupMethods,
  ...ruleMethods,
  ...pluginMethods,
];

export const brickClass: ApiClass = {
  name: 'Brick',
  summary: 'What is done with packets between inputs and outputs.',
  helpHeader: 'LoadBalance/Duplicator/Merge/Filter/Dummy/? Commands:',
  helpFooter: [],
  fields: {},
  methods: brickMethods,
  statics: [
    {
      name: 'new',
      listed: 'new([<split-mode>])',
      arguments: [
        { name: 'kind', type: 'text', summary: 'one of Brick.types()' },
        {
          name: 'split',
          type: 'any',
          optional: true,
          summary: 'LoadBalancer: 2 or 4, the tuple; or a table of options',
        },
      ],
      returns: 'a brick',
      summary: 'Describes a brick.',
      example: 'lb = Brick.new("LoadBalancer", { tuple = 2 })',
      call: (context, args) => {
        const kind = args.text('kind');
        kindOf(context.rules, kind);
        const given = splitRules('Brick.new', kind, context, args.any('split'));
        const { rest, plugins } = splitPlugins('Brick.new', kind, context, given.rest);
        const brick = context.bricks.make(kind, newOptions(context, kind, rest));
        addRuleList(context, brick, given.rules);
        addPluginList(context, brick, plugins);
        return new BrickHandle(brick);
      },
    },
    {
      name: 'find',
      arguments: [{ name: 'id', type: 'text', summary: 'as status shows it: Filter-1' }],
      returns: 'the brick; nil where no engine has it',
      summary: 'Finds a brick that is linked to an engine.',
      example: 'f = Brick.find("Filter-1")',
      call: (context, args) => {
        const id = args.text('id');
        const all = context.registry
          .names()
          .flatMap((name) => bricksOfEngine(context.registry, name));
        const brick = all.find((entry) => entry.id === id);
        return brick === undefined ? undefined : new BrickHandle(brick);
      },
    },
    {
      name: 'types',
      arguments: [],
      returns: 'a list of tables: name, summary, inputs, outputs, options',
      summary: 'All kinds with their arguments.',
      example: 'Brick.types()[1].name',
      call: (context) => context.binding.brickTypes() as unknown as Result,
    },
    {
      name: 'help',
      listed: 'help()',
      arguments: [
        { name: 'about', type: 'text', optional: true, summary: 'a kind, or name of a function' },
      ],
      returns: 'nothing',
      summary: 'Prints the functions, or what is to be known of a kind or a function.',
      example: 'Brick.help("Filter")',
      call: (context, args) => printHelp(context, brickClass, args.optionalText('about')),
    },
  ],
};
