/** What packet-bricks printed, to the letter: help, status and the tables of counts. */
import type { EngineStats, Stats } from '../engine/stats.ts';
import type { BrickTypeInfo, OptionInfo } from '../native/binding.ts';
import type { ApiClass, Method } from './api.ts';

/** `Class.help()` */
export function helpText(api: ApiClass): string {
  const listed = [...api.statics, ...api.methods]
    .flatMap((method) => method.listed ?? [])
    .map((line) => `    ${line}`);
  return [api.helpHeader, ...orderOfHelp(api, listed), ...api.helpFooter, ''].join('\n');
}

/** packet-bricks' own order, which is not the table's. */
function orderOfHelp(api: ApiClass, lines: readonly string[]): readonly string[] {
  const order = helpOrder[api.name];
  const place = (line: string): number =>
    order.findIndex((name) => line.startsWith(`    ${name}(`));
  return lines.toSorted((first, second) => place(first) - place(second));
}

const helpOrder: Readonly<Record<ApiClass['name'], readonly string[]>> = {
  BRICKS: ['help', 'print_status', 'show_stats', 'shutdown'],
  PktEngine: ['help', 'new', 'delete', 'link', 'start', 'stop', 'show_stats'],
  Brick: ['help', 'new', 'connect_input', 'connect_output', 'connect_outputs'],
};

/** One method: `Class.help("method")`. */
export function methodHelp(call: string, method: Method): string {
  const rows = method.arguments.map(
    ({ name, type, optional, summary }) =>
      `    ${name} (${type}${optional ? ', optional' : ''}): ${summary}\n`,
  );
  const parts = [`${call}\n  ${method.summary}\n`, ...rows];
  return `${parts.join('')}  returns: ${method.returns}\n  example: ${method.example}\n`;
}

/** `PktEngine.new(name [, buffer_sz [, cpu]])` */
export function signature(prefix: string, method: Method): string {
  let text = '';
  let open = 0;
  method.arguments.forEach(({ name, optional, rest }, i) => {
    const comma = i > 0 ? ', ' : '';
    const shown = rest ? `${name}, ...` : name;
    if (optional) {
      text += `${i > 0 ? ' ' : ''}[${comma}${shown}`;
      open += 1;
    } else {
      text += comma + shown;
    }
  });
  return `${prefix}${method.name}(${text}${']'.repeat(open)})`;
}

function allowed(option: OptionInfo): string {
  if (option.choices !== undefined && option.choices.length > 0) {
    return option.choices.map((word) => `"${word}"`).join(' | ');
  }
  const { minimum, maximum } = option;
  const range = minimum === undefined || maximum === undefined ? '' : ` ${minimum}..${maximum}`;
  return `${option.type.replace('_', ' ')}${range}`;
}

function range([minimum, maximum]: readonly [number, number]): string {
  return minimum === maximum ? String(minimum) : `${minimum} to ${maximum}`;
}

/** `Brick.help("Filter")` */
export function kindHelp(type: BrickTypeInfo): string {
  const lines = [
    `${type.name}: ${type.summary}`,
    `  inputs: ${range(type.inputs)}, outputs: ${range(type.outputs)}`,
    type.options.length === 0 ? '  options: none' : '  options:',
    ...type.options.map((option) => {
      const preset = option.default === '' ? '' : ` (default ${option.default})`;
      return `    ${option.name} = ${allowed(option)}${preset}: ${option.summary}`;
    }),
    `  example: b = Brick.new("${type.name}")`,
  ];
  return `${lines.join('\n')}\n`;
}

function column(count: number, width: number): string {
  return String(count).padStart(width);
}

/** `pe:show_stats()` */
export function engineStatsText(stats: EngineStats): string {
  return [
    `${'-'.repeat(10)} ENGINE (${stats.name}) STATS${'-'.repeat(12)}`,
    `Byte count: ${stats.bytes}`,
    `Packet count: ${stats.packets}`,
    `Packet drop count: ${stats.dropped}`,
    '-'.repeat(40),
    '',
    '',
  ].join('\n');
}

/** `BRICKS.show_stats()` */
export function statsText(stats: Stats): string {
  const gap = ' \t\t ';
  const row = (name: string, packets: number, bytes: number): string =>
    [name, column(packets, 10), column(bytes, 11)].join(gap);
  return [
    `${'-'.repeat(41)} ENGINE STATISTICS ${'-'.repeat(44)}`,
    `Engine${gap}Packet Cnt${gap}   Byte Cnt${gap}Packet Drop`,
    ...stats.engines.map(
      (engine) => row(engine.name, engine.packets, engine.bytes) + gap + column(engine.dropped, 11),
    ),
    '='.repeat(104),
    row('Total', stats.total.packets, stats.total.bytes),
    '-'.repeat(104),
    '',
    '',
    '',
  ].join('\n');
}
