/** The generated pages of docs/: each is a view of a table that the program itself uses. */
import { readFileSync } from 'node:fs';
import { commandReferencePage, sharedFiles } from '../../src/cli/commands.ts';
import { errorCatalogue, exitCodes } from '../../src/errors.ts';
import { luaReferencePage } from '../../src/lua/reference.ts';
import type {
  BrickTypeInfo,
  FigureInfo,
  NativeBinding,
  OptionInfo,
} from '../../src/native/binding.ts';
import { filterRulesPage } from './filter-rules-page.ts';
import { pluginsPage } from './plugins-page.ts';
import { queuesPage } from './queues-page.ts';
import { toolsPage } from './tools-page.ts';

export type Tables = Pick<
  NativeBinding,
  | 'brickTypes'
  | 'portSchemes'
  | 'dropReasons'
  | 'limits'
  | 'queueCounts'
  | 'queueOptions'
  | 'ruleFields'
  | 'ruleFields'
  | 'pluginKeys'
  | 'pluginCounts'
  | 'statusCodes'
>;

const note =
  '<!-- Made by `npm run docs` from the tables in the code. Change those, not this. -->\n';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}

function optionRange(option: OptionInfo): string {
  if (option.choices && option.choices.length > 0)
    return option.choices.map((choice) => `\`${choice}\``).join(', ');
  const low = option.minimum;
  const high = option.maximum;
  const type = option.type.replace(/^(.*)_list$/, 'list of $1s');
  if (type.includes('text') || type === 'boolean') return type;
  if (low === undefined && high === undefined) return type;
  const bound = (value: number | undefined) =>
    value === undefined || Math.abs(value) > 1e15 ? 'any' : value.toLocaleString('en-US');
  return `${type}, ${bound(low)} to ${bound(high)}`;
}

function optionTable(options: readonly OptionInfo[]): string {
  return table(
    ['option', 'values', 'default', 'meaning'],
    options.map((option) => [
      `\`${option.name}\``,
      optionRange(option),
      option.default === '' ? '–' : `\`${option.default}\``,
      option.summary,
    ]),
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`;
}

function countRange([minimum, maximum]: readonly [number, number]): string {
  if (minimum === maximum) return minimum === 0 ? 'none' : `exactly ${minimum}`;
  return `${minimum} to ${maximum.toLocaleString('en-US')}`;
}

function figureTable(figures: readonly FigureInfo[]): string {
  const row = ({ name, kind, summary }: FigureInfo) => [`\`${name}\``, kind, summary];
  return table(['figure', 'kind', 'is'], figures.map(row));
}

function figuresOf({ name, figures = [] }: BrickTypeInfo): string {
  if (figures.length === 0) return '';
  const stem = `bricks_${name.toLowerCase()}_NAME`;
  const names = { counter: `\`${stem}_total\` (counters)`, gauge: `\`${stem}\` (gauges)` };
  const kinds = (['counter', 'gauge'] as const).filter((each) =>
    figures.some(({ kind }) => kind === each),
  );
  const inMetrics = kinds.map((kind) => names[kind]).join(' and ');
  const where = `Its figures in \`bricks status\`; metrics call them ${inMetrics}`;
  return `\n${where}:\n\n${figureTable(figures)}`;
}

export function bricksPage(tables: Tables): string {
  const types = tables.brickTypes();
  const sections = types.map((type) => {
    const options = type.options.length === 0 ? 'It has no options.\n' : optionTable(type.options);
    return `## ${type.name}

${sentence(type.summary)}

${type.details}

Inputs: ${countRange(type.inputs)}. Outputs: ${countRange(type.outputs)}.

${options}${figuresOf(type)}`;
  });
  return `${note}# Bricks

A brick gets packets and gives each of them to one or more of its outputs, or drops it with a
reason. \`Brick.new("NAME", {option = value, …})\` makes one; \`Brick.help("NAME")\` prints its
part of this page.

${table(
  ['brick', 'what it does'],
  types.map(({ name, summary }) => [`[${name}](#${name.toLowerCase()})`, summary]),
)}
${sections.join('\n')}`;
}

export function portsPage(tables: Tables): string {
  const sections = tables.portSchemes().map(
    (scheme) => `## ${scheme.scheme}

For example \`${scheme.example}\`.

- As input: ${(scheme.asInput ?? 'not possible').replace(/\.?$/, '.')}
- As output: ${(scheme.asOutput ?? 'not possible').replace(/\.?$/, '.')}

${scheme.options.length === 0 ? 'It takes no parameters.\n' : optionTable(scheme.options)}`,
  );
  return `${note}# Ports

Packets come from ports and go to ports. A port's name says what it is:
\`scheme:target?name=value&…\`. Two kinds go without a scheme: a plain name is a network interface
a name with a brace and a number is a pipe: \`eth3{0\` is the engine's end,
\`eth3}0\` the end that a consumer holds.

A plain interface is opened the best way that this machine has: \`netmap:\` where its kernel module
is loaded, \`xdp:\` where [that suits](internals.md#af_xdp), else \`packet:\`; a parameter that only
one of them knows decides, too. \`bricks status\` says which it was.
With the scheme in front it is that one, or an error.

The \`netmap:\` port is tested against \`libbricks-netmap.so\`, which stands in for the kernel
module, and against a card of our own making; on a machine with the module,
\`sudo scripts/dev/netmap-check\` runs the same tests on its pipes, its VALE switch and a veth pair.


${sections.join('\n')}`;
}

export function errorsPage(tables: Tables): string {
  const native = new Set(tables.statusCodes());
  const exits: Readonly<Record<keyof typeof exitCodes, string>> = {
    ok: 'all went well',
    failure: 'something failed; the message says what',
    usage: 'the command line makes no sense',
    configuration: 'a script, a graph, a name or a file is not valid',
    unreachable: 'no daemon answers',
    permission: 'a right is missing',
    notFound: 'a file, interface, engine or pipe is not there',
    conflict: 'taken, running already, or held by somebody else',
    checkFailed: 'a check found a fault',
    timeout: 'the time is up',
    interrupted: 'stopped by the user (Ctrl-C)',
  };
  return `${note}# Errors

An error says what, where, why, and what to type next. Each has a code; each code has an exit code.
In Lua it is raised as an error that \`pcall\` catches; the failed call has changed nothing.

## Exit codes

${table(
  ['exit code', 'means'],
  Object.entries(exitCodes).map(([name, code]) => [
    String(code),
    exits[name as keyof typeof exitCodes],
  ]),
)}
## Codes

${table(
  ['code', 'exit code', 'means', 'can come from'],
  Object.entries(errorCatalogue).map(([name, { exit, summary }]) => [
    `\`${name}\``,
    String(exit),
    summary,
    native.has(name) ? 'engine, control' : 'control',
  ]),
)}`;
}

export function dropsPage(tables: Tables): string {
  return `${note}# Drops

A packet that was meant for an output and did not get there is counted under one of these reasons,
in the cell of the input, brick or output where it ended. \`bricks ledger\` shows them;
\`received + copies = delivered + dropped + held\` holds at every moment.

${table(
  ['reason', 'means'],
  tables.dropReasons().map(({ name, summary }) => [`\`${name}\``, summary]),
)}`;
}

/** Values come from the running code, words from the comments beside them. */
export function limitsPage(tables: Tables, header: string): string {
  const lines = header.split('\n');
  const rows = Object.entries(tables.limits()).map(([name, value]) => {
    const index = lines.findIndex((line) => line.includes(` ${name} =`));
    const beside = /\/\/ (.*)$/.exec(lines[index] ?? '')?.[1];
    const above: string[] = [];
    for (let i = index - 1; lines[i]?.startsWith('// '); i--)
      above.unshift(lines[i]?.slice(3) ?? '');
    return [`\`${name}\``, value.toLocaleString('en-US'), beside ?? above.join(' ')];
  });
  return `${note}# Limits

Every bound of the data plane has a name in [native/mem/limits.hh](../native/mem/limits.hh). A value
out of its range is refused by name, with the range.

${table(['limit', 'value', 'of what'], rows)}`;
}

/** Paths from the repository's root, with their text. `root` is that folder. */
export function referencePages(tables: Tables, root: string): Map<string, string> {
  const limits = readFileSync(`${root}/native/mem/limits.hh`, 'utf8');
  return new Map([
    ['docs/bricks.md', bricksPage(tables)],
    ['docs/filter-rules.md', filterRulesPage(note, optionTable(tables.ruleFields()))],
    [
      'docs/queues.md',
      queuesPage(note, optionTable(tables.queueOptions()), figureTable(tables.queueCounts())),
    ],
    [
      'docs/plugins.md',
      pluginsPage(note, optionTable(tables.pluginKeys()), figureTable(tables.pluginCounts())),
    ],
    ['docs/ports.md', portsPage(tables)],
    ['docs/errors.md', errorsPage(tables)],
    ['docs/drops.md', dropsPage(tables)],
    ['docs/limits.md', limitsPage(tables, limits)],
    ['docs/lua.md', `${note}${luaReferencePage()}`],
    ['docs/tools.md', toolsPage(note, table)],
    ['docs/commands.md', `${note}${commandReferencePage()}`],
    ...sharedFiles(),
  ]);
}
