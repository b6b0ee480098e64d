/** `bricks plugin`: begins a plugin of one's own, looks at a file, lists those of the daemon. */
import { join, relative, resolve } from 'node:path';
import { locateRunDir } from '../daemon/run-dir.ts';
import type { Status } from '../engine/status.ts';
import { BricksError, exitCodes } from '../errors.ts';
import type { PluginDescription } from '../native/binding.ts';
import { loadBinding, packageRoot } from '../native/load.ts';
import { checkTypes, type TypeCheck } from '../plugins/check-types.ts';
import { lookAtScript } from '../plugins/look.ts';
import { DaemonClient } from '../shell/client.ts';
import { type Arguments, type Command, helpOption, jsonOption, runDirOption } from './command.ts';
import { type Language, languages, makeSkeleton } from './plugin-skeleton.ts';
import { formatTable } from './table.ts';

function begin(args: Arguments): number {
  const name = wordOf(args, 'new', 'NAME');
  const language = args.text('lang') ?? 'lua';
  if (!languages.some((known) => known === language)) {
    throw new BricksError('usage', `--lang takes ${languages.join(', ')}, not '${language}'`);
  }
  const files = makeSkeleton(name, language as Language, args.text('folder') ?? name);
  const shown = files.map((file) => relative(process.cwd(), file) || file);
  const test = shown.at(-1) ?? '';
  process.stdout.write(`${shown.map((file) => `made ${file}\n`).join('')}`);
  process.stdout.write(`test it: ${test.includes('/') ? test : `./${test}`}\n`);
  return exitCodes.ok;
}

function describe(plugin: PluginDescription, types: TypeCheck | undefined): string {
  const { name, kind, summary, events, protocols, options, figures } = plugin;
  const checked = types?.checked === true ? `checked, ${types.how}` : `not checked: ${types?.how}`;
  const facts = [
    ['plugin', `${name} (${kind})`],
    ['summary', summary],
    ['events', events.join(' ')],
    ['protocols', protocols.join(' ')],
    ['figures', figures.join(' ')],
    ['types', types === undefined ? '' : checked],
  ].filter(([, text]) => text !== '');
  const lines = facts.map(([what = '', text = '']) => `${what.padEnd(10)} ${text}\n`).join('');
  if (options.length === 0) return lines;
  const rows = options.map((option) => [
    option.name,
    option.type,
    option.preset === undefined ? 'must be given' : JSON.stringify(option.preset),
    option.summary,
  ]);
  return `${lines}\n${formatTable(['OPTION', 'TYPE', 'PRESET', ''], rows)}`;
}

async function check(args: Arguments): Promise<number> {
  const file = resolve(wordOf(args, 'check', 'FILE'));
  const isScript = /\.(ts|js|mjs)$/.test(file);
  const plugin = isScript ? await lookAtScript(file) : loadBinding().lookAtPlugin(file);
  const types = file.endsWith('.ts') ? checkTypes(file) : undefined;
  const shown = types === undefined ? plugin : { ...plugin, types };
  process.stdout.write(args.flag('json') ? `${JSON.stringify(shown)}\n` : describe(plugin, types));
  return exitCodes.ok;
}

interface Row {
  readonly engine: string;
  readonly brick: string;
  readonly plugin: string;
  readonly counts: Record<string, number>;
}

/** Figures of a Session's plugins are called PLUGIN.COUNT. */
export function pluginRows(status: Status): Row[] {
  return status.engines.flatMap((engine) =>
    engine.bricks.flatMap((brick) => {
      const rows = new Map<string, Row>();
      for (const [figure, value] of Object.entries(brick.figures)) {
        const dot = figure.lastIndexOf('.');
        if (dot < 0) continue;
        const plugin = figure.slice(0, dot);
        const row = rows.get(plugin) ?? {
          engine: engine.name,
          brick: brick.id,
          plugin,
          counts: {},
        };
        row.counts[figure.slice(dot + 1)] = value;
        rows.set(plugin, row);
      }
      return [...rows.values()];
    }),
  );
}

const columns = ['events', 'errors', 'detached', 'takeovers', 'ctx_leaks', 'lost_lines'];

async function list(args: Arguments): Promise<number> {
  const client = await DaemonClient.connect({
    path: locateRunDir(args.text('run-dir')).controlSocket,
  });
  const rows = pluginRows((await client.report('status')) as Status);
  await client.close();
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
  } else if (rows.length === 0) {
    process.stdout.write('no Session has plugins\n');
  } else {
    const cells = rows.map(({ engine, brick, plugin, counts }) => [
      engine,
      brick,
      plugin,
      ...columns.map((column) => String(counts[column] ?? 0)),
    ]);
    const heads = columns.map((column) => column.toUpperCase());
    process.stdout.write(formatTable(['ENGINE', 'BRICK', 'PLUGIN', ...heads], cells));
  }
  return exitCodes.ok;
}

function wordOf(args: Arguments, action: string, what: string): string {
  const word = args.words[1];
  if (word === undefined) throw new BricksError('usage', `bricks plugin ${action} needs a ${what}`);
  return word;
}

const actions: Readonly<Record<string, (args: Arguments) => Promise<number> | number>> = {
  new: begin,
  check,
  list,
};

export const pluginCommand: Command = {
  name: 'plugin',
  usage: 'new NAME [--lang c|lua|ts] [--folder DIR] | check FILE | list | --include',
  summary: 'plugins of sessions: begin one, look at a file, list those that run',
  details:
    'new makes a folder with a plugin that works, and its test; it says how to run that.\n' +
    'check loads a file without an engine and prints its events, options and\n' +
    'figures, or what is wrong with it; of a file in TypeScript its types, too, where a\n' +
    'package typescript is found. list shows the plugins of the running daemon.\n' +
    '--include prints the folder of bricks_plugin.h, for the C compiler.',
  options: {
    lang: { type: 'string', value: 'LANG', completes: languages, summary: 'c, lua or ts; lua' },
    folder: {
      type: 'string',
      value: 'DIR',
      completes: 'folder',
      summary: 'where new puts it, a folder called NAME unless given',
    },
    include: { type: 'boolean', summary: "print the headers' folder" },
    ...jsonOption,
    ...runDirOption,
    ...helpOption,
  },
  words: [0, 2],
  completes: Object.keys(actions),
  run: (args) => {
    if (args.flag('include')) {
      process.stdout.write(`${join(packageRoot(), 'native', 'abi')}\n`);
      return exitCodes.ok;
    }
    const [word] = args.words;
    const action = word === undefined ? undefined : actions[word];
    if (action !== undefined) return action(args);
    const what = word === undefined ? '' : `, not '${word}'`;
    throw new BricksError('usage', `bricks plugin does new, check or list${what}`);
  },
};
