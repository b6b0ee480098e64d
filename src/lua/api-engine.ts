/** `PktEngine`: threads that move packets. */

import type { LinkSettings } from '../engine/registry.ts';
import { statsOf } from '../engine/stats.ts';
import { BricksError } from '../errors.ts';
import {
  type ApiClass,
  type ApiContext,
  type Arguments,
  chained,
  type HandleMethod,
} from './api.ts';
import { currentStats } from './api-bricks.ts';
import { recordMethod } from './api-record.ts';
import { batchOf, createEngine, defaultBatch, readOptions } from './engine-options.ts';
import { printHelp } from './help.ts';
import { engineStatsText } from './texts.ts';
import { EngineHandle, type Result } from './values.ts';

function newEngine(context: ApiContext, args: Arguments): Result {
  const name = args.text('name');
  const { nameMax } = context.rules;
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > nameMax) {
    throw new BricksError(
      'invalid_argument',
      `PktEngine.new: argument #1 (name) must be text of 1 to ${nameMax} bytes, got ${bytes}`,
    );
  }
  const options = { ...defaultBatch(), ...readOptions(context, args.table('options')) };
  if (!createEngine(context, name, options, args.optionalNumber('cpu'))) {
    context.write('stderr', `engine "${name}" already exists: this is another handle to it\n`);
  }
  return new EngineHandle(name);
}

function linkSettings(context: ApiContext, args: Arguments): LinkSettings {
  const batch = args.optionalNumber('batch');
  if (batch === 0) {
    throw new BricksError(
      'invalid_argument',
      'pe:link: argument #2 (batch) must be at least 1, or -1 for the default, got 0',
    );
  }
  const queue = args.optionalNumber('qid');
  return {
    ...(batch === undefined || batch === -1 ? {} : { batch: batchOf(context, batch) }),
    ...(queue === undefined ? {} : { queue }),
  };
}

const engineMethods: readonly HandleMethod<EngineHandle>[] = [
  {
    name: 'link',
    listed: 'link(<brick>, <chunk_size>, <qid>)',
    arguments: [
      { name: 'brick', type: 'brick', summary: 'the root of a tree of bricks' },
      {
        name: 'batch',
        type: 'integer',
        optional: true,
        minimum: -1,
        summary: 'packets a batch; more than 256 means 256; -1: the default',
      },
      {
        name: 'qid',
        type: 'integer',
        optional: true,
        minimum: -1,
        summary: 'hardware queue of its interfaces; -1: all',
      },
    ],
    returns: 'the engine',
    summary: 'Adds a brick, with all that is linked to it, to the engine; also while it runs.',
    example: 'pe:link(lb)',
    call: (context, self, args) => {
      context.registry.link(self.name, args.brick('brick'), linkSettings(context, args));
      return chained;
    },
  },
  {
    name: 'unlink',
    arguments: [
      { name: 'brick', type: 'brick', optional: true, summary: 'only this brick and those below' },
    ],
    returns: 'the engine',
    summary: 'Takes the graph (or that brick) off the engine; also while it runs.',
    example: 'pe:unlink()',
    call: (context, self, args) => {
      context.registry.unlink(self.name, args.optionalBrick('brick'));
      return chained;
    },
  },
  {
    name: 'start',
    listed: 'start()',
    arguments: [],
    returns: 'the engine',
    summary: 'Starts its thread.',
    example: 'pe:start()',
    call: (context, self) => {
      context.registry.start(self.name);
      return chained;
    },
  },
  {
    name: 'stop',
    listed: 'stop()',
    arguments: [],
    returns: 'the engine',
    summary: 'Stops its thread; returns when it has ended.',
    example: 'pe:stop()',
    call: (context, self) => {
      context.registry.stop(self.name);
      return chained;
    },
  },
  {
    name: 'wait',
    arguments: [
      {
        name: 'seconds',
        type: 'number',
        optional: true,
        minimum: 0,
        summary: 'how long at most; without: as long as it takes',
      },
    ],
    returns: 'true when all is delivered, false when the time was over',
    summary: 'Waits until finite inputs are drained and every output has delivered.',
    example: 'pe:wait(10)',
    call: (context, self, args) => context.registry.wait(self.name, args.optionalNumber('seconds')),
  },
  recordMethod,
  {
    name: 'show_stats',
    listed: 'show_stats()',
    arguments: [],
    returns: 'the engine',
    summary: 'Prints its packets, bytes and drops. pe.show_stats() works too.',
    example: 'pe:show_stats()',
    call: (context, self) => {
      const [row] = statsOf(undefined, [context.registry.snapshot(self.name)], 0).engines;
      if (row !== undefined) context.write('stdout', engineStatsText(row));
      return chained;
    },
  },
  {
    name: 'stats',
    arguments: [],
    returns: 'a table: packets, bytes, dropped, rates, inputs, outputs',
    summary: 'What show_stats prints, as numbers, with rates since the last call.',
    example: 'pe:stats().packets',
    call: (context, self) => {
      context.registry.snapshot(self.name);
      const row = currentStats(context).engines.find((entry) => entry.name === self.name);
      return row as unknown as Result;
    },
  },
  {
    name: 'delete',
    listed: 'delete()',
    arguments: [],
    returns: 'the engine, which is but a name now',
    summary: 'Removes a stopped engine and closes its ports; its bricks are free again.',
    example: 'pe:delete()',
    call: (context, self) => {
      context.registry.delete(self.name);
      return chained;
    },
  },
];

export const engineClass: ApiClass = {
  name: 'PktEngine',
  summary: 'A thread that takes packets from its inputs through its bricks to its outputs.',
  helpHeader: 'Packet Engine Commands:',
  helpFooter: [],
  fields: {},
  methods: engineMethods,
  statics: [
    {
      name: 'new',
      listed: 'new(<ioengine_name>, <queue_sz>, <cpu number>)',
      arguments: [
        { name: 'name', type: 'text', summary: 'what it is called, 1 to 255 bytes' },
        {
          name: 'buffer_sz',
          type: 'integer',
          optional: true,
          summary: 'accepted and not used, as ever; pipe_slots is what sizes a pipe',
        },
        {
          name: 'cpu',
          type: 'integer',
          optional: true,
          minimum: -1,
          maximum: 1023,
          summary: 'core to pin the thread to; -1: none',
        },
        {
          name: 'options',
          type: 'options',
          optional: true,
          summary:
            'shared = true: one memory region for gen:, xdp: and all pipes; pipe_slots; spill: ' +
            'buffers for what full pipes cannot take; sessions: live flows that are remembered, ' +
            '1,048,576 where none is given; busy = true: never sleep; batch',
        },
      ],
      returns: 'an engine; the existing one where the name is taken',
      summary: 'Makes an engine.',
      example: 'pe = PktEngine.new("e0")',
      call: newEngine,
    },
    {
      name: 'retrieve',
      arguments: [{ name: 'name', type: 'text', summary: 'name of an engine' }],
      returns: 'the engine; the name itself where there is none',
      summary: 'Finds an engine by name.',
      example: 'pe = PktEngine.retrieve("e0")',
      call: (context, args) => {
        const name = args.text('name');
        return context.registry.has(name) ? new EngineHandle(name) : name;
      },
    },
    {
      name: 'help',
      listed: 'help()',
      arguments: [{ name: 'about', type: 'text', optional: true, summary: 'name of a function' }],
      returns: 'nothing',
      summary: 'Prints the functions, or what is to be known of one.',
      example: 'PktEngine.help("link")',
      call: (context, args) => printHelp(context, engineClass, args.optionalText('about')),
    },
  ],
};
