/** What scripts do with a Session's plugins; while its engine runs, too. */
import type { Brick } from '../flow/brick.ts';
import { chained, type HandleMethod } from './api.ts';
import { pluginListOf, reloadPlugins } from './plugin-list.ts';
import type { Result } from './values.ts';

export const pluginMethods: readonly HandleMethod<Brick>[] = [
  {
    name: 'reload',
    arguments: [],
    returns: 'the brick',
    summary:
      'Loads the plugins of a Session anew, from their files as they are now. New sessions get ' +
      'them; those that live keep what they have.',
    example: 's:reload()',
    call: (context, self) => {
      reloadPlugins(context, self);
      return chained;
    },
  },
  {
    name: 'plugins',
    arguments: [],
    returns:
      'a list of tables: name, kind, summary, generation, disabled, keys, options, and counts ' +
      '(docs/plugins.md)',
    summary: 'The plugins of a Session, in the order in which they are called.',
    example: 's:plugins()[1].counts.errors',
    call: (context, self) =>
      context.binding.listPlugins(pluginListOf('b:plugins', self)) as unknown as Result,
  },
];
