/** Queue groups: rates and queues that bricks, plugins and engines share, by number. */
import { BricksError } from '../errors.ts';
import type { Options } from '../native/binding.ts';
import type { ApiContext, Arguments, StaticMethod } from './api.ts';
import { tableOptions } from './brick-options.ts';
import { type Result, TableValue, typeName } from './values.ts';

const idMax = 4_294_967_295;

function createGroup(context: ApiContext, args: Arguments): Result {
  const where = 'BRICKS.queue_group';
  const given = args.any('options');
  if (!(given instanceof TableValue)) {
    throw new BricksError(
      'invalid_argument',
      `${where}: argument #1 (options) must be a table, like { id = 1, cir = 1250000 }; ` +
        `got ${typeName(given)}`,
    );
  }
  const { id, ...options } = tableOptions(where, 'Queue', given) as Options;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > idMax) {
    throw new BricksError(
      'invalid_argument',
      `${where}: id must be a whole number from 0 to ${idMax}, ` +
        `got ${typeName(given.fields.get('id'))}`,
    );
  }
  context.binding.createQueueGroup(id, options);
  return id;
}

export const queueStatics: readonly StaticMethod[] = [
  {
    name: 'queue_group',
    arguments: [{ name: 'options', type: 'any', summary: 'a table with id; docs/queues.md' }],
    returns: 'its id',
    summary:
      'Makes a queue group: a rate and a queue that Queue bricks and plugins name by its id. Of ' +
      'one that is there it changes the options in place; packets that wait stay.',
    example: 'BRICKS.queue_group{ id = 1, cir = 1250000, cbs = 15000, aqm = "codel" }',
    call: createGroup,
  },
  {
    name: 'queue_groups',
    arguments: [],
    returns: 'a list of tables: id, options, updates, workers, counts, delays',
    summary: 'The queue groups there are, and what became of their packets.',
    example: 'BRICKS.queue_groups()[1].counts.aqm_drop',
    call: (context) => context.binding.listQueueGroups() as unknown as Result,
  },
  {
    name: 'delete_queue_group',
    arguments: [
      { name: 'id', type: 'integer', minimum: 0, maximum: idMax, summary: 'number of the group' },
    ],
    returns: 'nothing',
    summary: 'Deletes a queue group. What waits in it goes on at its rate, or is dropped: at_end.',
    example: 'BRICKS.delete_queue_group(1)',
    call: (context, args) => {
      context.binding.removeQueueGroup(args.optionalNumber('id') ?? 0);
      return undefined;
    },
  },
];
