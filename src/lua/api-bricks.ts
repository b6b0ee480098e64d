/** `BRICKS`: the daemon as a whole. */
import { ledgerOf } from '../engine/ledger.ts';
import { type Stats, statsOf } from '../engine/stats.ts';
import { statusOf } from '../engine/status.ts';
import { arrows } from '../flow/arrows.ts';
import type { ApiClass, ApiContext } from './api.ts';
import { queueStatics } from './api-queues.ts';
import { printHelp } from './help.ts';
import { statsText } from './texts.ts';
import type { Result } from './values.ts';

/** Counts now, rates since the last call of this kind in this Lua state. */
export function currentStats(context: ApiContext): Stats {
  const snapshots = context.engines.snapshot();
  const at = performance.now();
  const { lastStats } = context;
  const seconds = lastStats === undefined ? 0 : (at - lastStats.at) / 1e3;
  context.lastStats = { snapshots, at };
  return statsOf(lastStats?.snapshots, snapshots, seconds);
}

function statusTable(context: ApiContext): Result {
  const status = statusOf(context.engines.snapshot(), context.binding.listQueueGroups());
  const engines = status.engines.map((engine) => ({
    ...engine,
    graph: context.registry.has(engine.name) ? arrows(context.registry.graph(engine.name)) : [],
  }));
  return { ...status, engines } as unknown as Result;
}

export const bricksClass: ApiClass = {
  name: 'BRICKS',
  summary: 'The daemon as a whole.',
  helpHeader: 'BRICKS Commands:',
  helpFooter: [
    '  Available subsystems within BRICKS have their own help() methods:',
    '    PktEngine ',
  ],
  fields: {
    _COPYRIGHT: 'Copyright (C) 2014',
    _DESCRIPTION: 'BRICKS command line interface',
    _VERSION: 'BRICKS-0.5-beta',
  },
  methods: [],
  statics: [
    {
      name: 'help',
      listed: 'help()',
      arguments: [{ name: 'about', type: 'text', optional: true, summary: 'name of a function' }],
      returns: 'nothing',
      summary: 'Prints the functions, or what is to be known of one.',
      example: 'BRICKS.help("shutdown")',
      call: (context, args) => printHelp(context, bricksClass, args.optionalText('about')),
    },
    {
      name: 'print_status',
      listed: 'print_status()',
      arguments: [],
      returns: 'nothing',
      summary: 'Prints whether any engine runs.',
      example: 'BRICKS.print_status()',
      call: (context) => {
        const { online } = statusOf(context.engines.snapshot());
        context.write('stdout', `BRICKS is ${online ? 'online' : 'offline'}.\n`);
        return undefined;
      },
    },
    {
      name: 'show_stats',
      listed: 'show_stats()',
      arguments: [],
      returns: 'nothing',
      summary: 'Prints packets, bytes and drops of every engine.',
      example: 'BRICKS.show_stats()',
      call: (context) => {
        context.write('stdout', statsText(statsOf(undefined, context.engines.snapshot(), 0)));
        return undefined;
      },
    },
    {
      name: 'shutdown',
      listed: 'shutdown()',
      arguments: [],
      returns: 'does not return',
      summary: 'Stops all engines in order and ends the program.',
      example: 'BRICKS.shutdown()',
      call: (context) => {
        context.write('stdout', 'Goodbye!\n');
        context.shutdown();
        return undefined;
      },
    },
    {
      name: 'stats',
      arguments: [],
      returns: 'a table: engines (each with inputs and outputs) and total',
      summary: 'What show_stats prints, as numbers, with rates since the last call.',
      example: 'BRICKS.stats().total.packets',
      call: (context) => currentStats(context) as unknown as Result,
    },
    {
      name: 'ledger',
      arguments: [],
      returns: 'a table: received, delivered, dropped, held, copies, difference, and the rows',
      summary: 'Where every packet ended; difference is 0, or something is wrong.',
      example: 'BRICKS.ledger().difference',
      call: (context) => ledgerOf(context.engines.snapshot()) as unknown as Result,
    },
    {
      name: 'status',
      arguments: [],
      returns: 'a table: online and engines, each with its graph, ports and consumers',
      summary: 'What there is.',
      example: 'BRICKS.status().engines[1].graph',
      call: statusTable,
    },
    {
      name: 'sleep',
      arguments: [{ name: 'seconds', type: 'number', minimum: 0, summary: 'how long' }],
      returns: 'nothing',
      summary: 'Waits without using a CPU; Ctrl-C ends it.',
      example: 'BRICKS.sleep(0.5)',
      call: (context, args) => {
        context.sleep(args.optionalNumber('seconds') ?? 0);
        return undefined;
      },
    },
    ...queueStatics,
  ],
};
