/** What is counted, as OpenMetrics text: the tables of `bricks status` and `bricks ledger`. */
import type { BrickTypeInfo, FigureInfo, NativeBinding } from '../native/binding.ts';
import { type Ledger, ledgerOf, sumOf } from './ledger.ts';
import { type EngineStatus, type Status, statusOf } from './status.ts';

export const metricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

type Kind = 'counter' | 'gauge' | 'histogram' | 'info' | 'unknown';
type Labels = Readonly<Record<string, string | number>>;

/** What native code says of the counts that it names. */
export interface MetricTables {
  readonly bricks: readonly BrickTypeInfo[];
  readonly plugins: readonly FigureInfo[];
  readonly queues: readonly FigureInfo[];
}

const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** Families in the order of their first sample, each with all of its samples together. */
class Exposition {
  readonly #families = new Map<string, string[]>();

  /** One of a table; what the table does not know has no kind. */
  addFigure(
    table: readonly FigureInfo[],
    figure: string,
    name: string,
    labels: Labels,
    value: number,
  ): void {
    const { kind = 'unknown', summary = figure } = table.find((row) => row.name === figure) ?? {};
    this.add(kind, name, summary, labels, value);
  }

  add(kind: Kind, name: string, help: string, labels: Labels, value: number): void {
    const suffix = kind === 'counter' ? '_total' : kind === 'info' ? '_info' : '';
    this.#sample(kind, name, help, `${name}${suffix}`, labels, value);
  }

  /** counts: of less than 1, 2, 4, … microseconds; the last has the rest. */
  delays(
    name: string,
    help: string,
    labels: Labels,
    counts: readonly number[],
    seconds: number,
  ): void {
    let count = 0;
    const say = (suffix: string, value: number, more: Labels = {}): void =>
      this.#sample('histogram', name, help, `${name}_${suffix}`, { ...labels, ...more }, value);
    counts.forEach((more, power) => {
      count += more;
      say('bucket', count, { le: power + 1 < counts.length ? 2 ** power / 1e6 : '+Inf' });
    });
    say('count', count);
    say('sum', seconds);
  }

  toString(): string {
    return `${[...this.#families.values()].flat().join('\n')}\n# EOF\n`;
  }

  #sample(
    kind: Kind,
    name: string,
    help: string,
    sample: string,
    labels: Labels,
    value: number,
  ): void {
    let lines = this.#families.get(name);
    if (lines === undefined) {
      lines = [`# TYPE ${name} ${kind}`, `# HELP ${name} ${escaped(help)}`];
      this.#families.set(name, lines);
    }
    const all = Object.entries(labels).map(([label, text]) => `${label}="${escaped(`${text}`)}"`);
    lines.push(`${sample}${all.length === 0 ? '' : `{${all.join()}}`} ${value}`);
  }
}

function addPackets(to: Exposition, { inputs, bricks, outputs }: Ledger): void {
  for (const { engine, name: input, received, bytes, dropped } of inputs) {
    const of = { engine, input };
    to.add('counter', 'bricks_input_packets', 'packets received', of, received);
    to.add('counter', 'bricks_input_bytes', 'bytes received', of, bytes);
    for (const [reason, count] of Object.entries(dropped))
      to.add('counter', 'bricks_input_drops', 'packets lost there', { ...of, reason }, count);
  }
  for (const { engine: graph, id: node, packets, copies, held, dropped } of bricks) {
    const help = 'packets of a brick, by what has become of them';
    const actions = { pass: packets - held - sumOf(dropped), drop: sumOf(dropped), copy: copies };
    for (const [action, count] of Object.entries(actions))
      to.add('counter', 'bricks_node_packets', help, { graph, node, action }, count);
    to.add('gauge', 'bricks_node_held_packets', 'packets that it holds', { graph, node }, held);
    for (const [reason, count] of Object.entries(dropped))
      to.add('counter', 'bricks_node_drops', 'packets it dropped', { graph, node, reason }, count);
  }
  for (const { engine, name: pipe, delivered, bytes, held, dropped } of outputs) {
    const of = { engine, pipe };
    to.add('counter', 'bricks_pipe_packets', 'packets delivered by an output', of, delivered);
    to.add('counter', 'bricks_pipe_bytes', 'bytes delivered by an output', of, bytes);
    to.add('gauge', 'bricks_pipe_ring_used_slots', 'packets yet to be read', of, held);
    for (const [reason, count] of Object.entries(dropped))
      to.add('counter', 'bricks_pipe_drops', 'packets lost there', { ...of, reason }, count);
  }
}

function addEngine(to: Exposition, engine: EngineStatus): void {
  const of = { engine: engine.name };
  to.add('gauge', 'bricks_engine_running', '1: it runs', of, engine.state === 'running' ? 1 : 0);
  for (const { name: pipe, slots, consumer, heartbeat_ms: silent } of engine.outputs) {
    if (slots === 0) continue;
    const one = { ...of, pipe };
    to.add('gauge', 'bricks_pipe_ring_slots', 'slots of its ring', one, slots);
    to.add('gauge', 'bricks_pipe_consumers', 'consumers attached', one, consumer > 0 ? 1 : 0);
    const age = 'bricks_pipe_heartbeat_age_seconds';
    if (silent !== null) to.add('gauge', age, 'since its consumer lived', one, silent / 1000);
  }
  if (engine.sessions === null) return;
  const { live, begun, ended, capacity, gave_way, refused } = engine.sessions;
  to.add('gauge', 'bricks_sessions', 'live flows', of, live);
  to.add('gauge', 'bricks_session_table_capacity', 'flows there is room for', of, capacity);
  to.add('counter', 'bricks_sessions_created', 'flows begun', of, begun);
  for (const [reason, count] of Object.entries({ timeout: ended, gave_way }))
    to.add('counter', 'bricks_sessions_expired', 'flows ended', { ...of, reason }, count);
  to.add('counter', 'bricks_sessions_refused', 'flows there was no room for', of, refused);
}

/** Counts beside the ledger; those of a Session's plugins are called PLUGIN.COUNT. */
function addFigures(to: Exposition, { name, bricks }: EngineStatus, tables: MetricTables): void {
  for (const { id: node, kind, figures } of bricks) {
    const known = tables.bricks.find((type) => type.name === kind)?.figures ?? [];
    for (const [figure, value] of Object.entries(figures)) {
      const of = { graph: name, node };
      const dot = figure.lastIndexOf('.');
      if (dot < 0) {
        to.addFigure(known, figure, `bricks_${kind.toLowerCase()}_${figure}`, of, value);
        continue;
      }
      const [plugin, count] = [figure.slice(0, dot), figure.slice(dot + 1)];
      if (tables.plugins.some((each) => each.name === count)) {
        to.addFigure(tables.plugins, count, `bricks_plugin_${count}`, { ...of, plugin }, value);
      } else {
        const own = { ...of, plugin, figure: count };
        to.add('unknown', 'bricks_plugin_figure', "a plugin's own count", own, value);
      }
    }
  }
}

function addQueues(to: Exposition, groups: Status['queue_groups'], tables: MetricTables): void {
  for (const { id: group, counts, delays } of groups) {
    for (const [count, value] of Object.entries(counts)) {
      to.addFigure(tables.queues, count, `bricks_queue_${count}`, { group }, value);
    }
    const seconds = (counts['delay_us'] ?? 0) / 1e6;
    const help = 'how long packets that waited did so';
    to.delays('bricks_queue_delay_seconds', help, { group }, delays, seconds);
  }
}

export function metricsOf(
  status: Status,
  ledger: Ledger,
  tables: MetricTables,
  version: string,
): string {
  const to = new Exposition();
  to.add('info', 'bricks_build', 'which bricks this is', { version }, 1);
  addPackets(to, ledger);
  for (const engine of status.engines) {
    addEngine(to, engine);
    addFigures(to, engine, tables);
  }
  addQueues(to, status.queue_groups, tables);
  return to.toString();
}

/** Of all that runs in this process, now. */
export function readMetrics(
  binding: NativeBinding,
  snapshot: ReturnType<NativeBinding['snapshot']>,
  version: string,
): string {
  const tables = {
    bricks: binding.brickTypes(),
    plugins: binding.pluginCounts(),
    queues: binding.queueCounts(),
  };
  const status = statusOf(snapshot, binding.listQueueGroups());
  return metricsOf(status, ledgerOf(snapshot), tables, version);
}
