/** The tables of `bricks status`, `stats` and `ledger`. */
import type { Drops, Ledger } from '../engine/ledger.ts';
import type { Stats, Traffic } from '../engine/stats.ts';
import type { Status } from '../engine/status.ts';
import { formatNumber, formatTable } from './table.ts';

function section(title: string, table: string): string {
  return table === '' ? '' : `\n${title}\n${table}`;
}

function dropsInWords(drops: Readonly<Drops>): string {
  const parts = Object.entries(drops).map(([reason, count]) => `${reason} ${formatNumber(count)}`);
  return parts.length === 0 ? '-' : parts.join(', ');
}

function secondsAgo(milliseconds: number | null): string {
  return milliseconds === null ? '-' : `${(milliseconds / 1000).toFixed(1)} s ago`;
}

function printTaps(engines: Status['engines']): string {
  const taps = engines.flatMap((engine) =>
    engine.taps.map((tap) => [
      engine.name,
      tap.link,
      tap.expression === '' ? '-' : tap.expression,
      tap.seconds > 0
        ? `recorder, ${tap.seconds} s`
        : tap.consumer === 0
          ? 'none'
          : String(tap.consumer),
      tap.passed,
      tap.packets,
      dropsInWords(tap.dropped),
    ]),
  );
  return section(
    'Taps',
    formatTable(['ENGINE', 'TAP OF', 'FILTER', 'CONSUMER', 'PASSED', 'WANTED', 'DROPPED'], taps),
  );
}

function drainingTable(engines: Status['engines']): string {
  const rows = engines.flatMap((engine) =>
    engine.draining.map(({ brick, output, sessions, since }) => [
      engine.name,
      brick,
      output,
      sessions,
      new Date(since * 1000).toISOString(),
    ]),
  );
  return formatTable(['ENGINE', 'BRICK', 'OUTPUT', 'SESSIONS LEFT', 'SINCE'], rows);
}

/** What is 0 is left out. */
function figuresInWords(figures: Readonly<Record<string, number>>): string[] {
  const words = Object.entries(figures).filter(([, value]) => value !== 0);
  return words.length === 0
    ? []
    : [words.map(([name, value]) => `${name} ${formatNumber(value)}`).join(', ')];
}

function figuresTable(engines: Status['engines']): string {
  const rows = engines.flatMap(({ name, inputs, bricks, sessions, fragments }) => {
    const { capacity: _bound, ...counts } = sessions ?? { capacity: 0 };
    const all: [string, Readonly<Record<string, number>>][] = [
      ...inputs.map((input): [string, Record<string, number>] => [
        input.name,
        { not_ip: input.not_ip, ...input.header_faults },
      ]),
      ...bricks.map((brick): [string, Record<string, number>] => [
        brick.id,
        { held: brick.held, ...brick.figures },
      ]),
      ['sessions', counts],
      ['fragments', fragments],
    ];
    return all.flatMap(([of, figures]) => figuresInWords(figures).map((text) => [name, of, text]));
  });
  return formatTable(['ENGINE', 'OF', 'FIGURES'], rows);
}

function queueGroupsTable(groups: Status['queue_groups']): string {
  const rows = groups.map(({ id, options, counts }) => [
    String(id),
    String(options['kind']),
    options['cir'] === 0 ? '-' : Number(options['cir']),
    options['aqm'] === 'none' ? '-' : String(options['aqm']),
    ...figuresInWords(counts),
  ]);
  return formatTable(['QUEUE GROUP', 'KIND', 'BYTES/S', 'AQM', 'PACKETS'], rows);
}

export function printStatus({ engines, queue_groups: groups }: Status): string {
  if (engines.length === 0) {
    return 'no engines; make one with: pe = PktEngine.new("e0")\n';
  }
  const inputs = engines.flatMap((engine) =>
    engine.inputs.map((input) => [
      engine.name,
      input.name,
      input.finished ? 'finished' : 'open',
      input.lossless ? 'lossless' : 'live',
      input.description,
    ]),
  );
  const outputs = engines.flatMap((engine) =>
    engine.outputs.map((output) => [
      engine.name,
      output.name,
      output.brick,
      output.slots === 0 ? '-' : output.consumer === 0 ? 'none' : String(output.consumer),
      output.slots === 0 ? '-' : output.ready ? 'ready' : 'lost',
      secondsAgo(output.heartbeat_ms),
      output.held,
      output.description,
    ]),
  );
  const bricks = engines.flatMap((engine) =>
    engine.bricks.map(({ id, kind }) => [engine.name, id, kind]),
  );
  const links = engines.flatMap((engine) =>
    engine.bricks.flatMap(({ id, ways }) =>
      ways.flatMap(({ link, brick }) =>
        brick === undefined ? [] : [[engine.name, link, id, brick]],
      ),
    ),
  );
  const warnings = engines.flatMap((engine) =>
    engine.warnings.map((warning) => `${engine.name}: ${warning}\n`),
  );
  return (
    formatTable(
      ['ENGINE', 'STATE', 'LINKED', 'DRAINED', 'CPU', 'BATCH'],
      engines.map(({ name, state, linked, drained, cpu, batch }) => [
        name,
        state,
        linked ? 'yes' : 'no',
        drained ? 'yes' : 'no',
        cpu < 0 ? '-' : String(cpu),
        batch,
      ]),
    ) +
    section('Inputs', formatTable(['ENGINE', 'INPUT', 'STATE', 'KIND', 'IS'], inputs)) +
    section('Bricks', formatTable(['ENGINE', 'BRICK', 'KIND'], bricks)) +
    section('Links', formatTable(['ENGINE', 'LINK', 'FROM', 'TO'], links)) +
    section(
      'Outputs',
      formatTable(
        ['ENGINE', 'OUTPUT', 'BRICK', 'CONSUMER', 'STATE', 'HEARTBEAT', 'HELD', 'IS'],
        outputs,
      ),
    ) +
    printTaps(engines) +
    section('Draining', drainingTable(engines)) +
    section('Figures', figuresTable(engines)) +
    section('Queue groups', queueGroupsTable(groups)) +
    section('Warnings', warnings.join(''))
  );
}

function trafficCells(traffic: Traffic): number[] {
  return [
    traffic.packets,
    traffic.bytes,
    traffic.dropped,
    traffic.packets_per_second,
    traffic.bits_per_second / 1e6,
    traffic.dropped_per_second,
  ];
}

export function printStats({ engines, total }: Stats): string {
  if (engines.length === 0) {
    return 'no engines; make one with: pe = PktEngine.new("e0")\n';
  }
  const rows = engines.flatMap((engine) => [
    [engine.name, engine.running ? 'running' : 'stopped', '', ...trafficCells(engine)],
    ...engine.inputs.map((port) => [engine.name, 'input', port.name, ...trafficCells(port)]),
    ...engine.outputs.map((port) => [engine.name, 'output', port.name, ...trafficCells(port)]),
  ]);
  const totals = engines.length > 1 ? [['total', '', '', ...trafficCells(total)]] : [];
  return formatTable(
    ['ENGINE', '', 'PORT', 'PACKETS', 'BYTES', 'DROPPED', 'PACKETS/S', 'MBIT/S', 'DROPPED/S'],
    [...rows, ...totals],
  );
}

export function printLedger(ledger: Ledger): string {
  const summary = formatTable(
    ['RECEIVED', 'COPIES', 'DELIVERED', 'DROPPED', 'HELD', 'DIFFERENCE'],
    [
      [
        ledger.received,
        ledger.copies,
        ledger.delivered,
        Object.values(ledger.dropped).reduce((sum, count) => sum + count, 0),
        ledger.held,
        ledger.difference,
      ],
    ],
  );
  return (
    summary +
    section(
      'Inputs',
      formatTable(
        ['ENGINE', 'INPUT', 'RECEIVED', 'BYTES', 'DROPPED'],
        ledger.inputs.map((row) => [
          row.engine,
          row.name,
          row.received,
          row.bytes,
          dropsInWords(row.dropped),
        ]),
      ),
    ) +
    section(
      'Bricks',
      formatTable(
        ['ENGINE', 'BRICK', 'KIND', 'PACKETS', 'COPIES', 'HELD', 'DROPPED'],
        ledger.bricks.map((row) => [
          row.engine,
          row.id,
          row.kind,
          row.packets,
          row.copies,
          row.held,
          dropsInWords(row.dropped),
        ]),
      ),
    ) +
    section(
      'Outputs',
      formatTable(
        ['ENGINE', 'OUTPUT', 'DELIVERED', 'BYTES', 'HELD', 'DROPPED'],
        ledger.outputs.map((row) => [
          row.engine,
          row.name,
          row.delivered,
          row.bytes,
          row.held,
          dropsInWords(row.dropped),
        ]),
      ),
    )
  );
}
