/** /metrics of a daemon: well-formed OpenMetrics, with the numbers of the other reports. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Status } from '../../src/engine/status.ts';
import { root } from '../support/source-tree.ts';
import { useWorld, type World } from './world.ts';

function get(world: World, path: string): Promise<{ type: string; code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(world.runDir, 'control.sock'), path }, (answer) => {
      const type = String(answer.headers['content-type']);
      let text = '';
      answer.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      answer.on('end', () => resolve({ type, code: answer.statusCode ?? 0, text }));
    });
    asked.on('error', reject).end();
  });
}

const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total'],
  gauge: [''],
  unknown: [''],
  info: ['_info'],
  histogram: ['_bucket', '_count', '_sum'],
};

/** Reads it as the standard has it: series -> value, family -> kind. */
function parse(text: string): { values: Map<string, number>; kinds: Map<string, string> } {
  const values = new Map<string, number>();
  const kinds = new Map<string, string>();
  let family = '';
  let allowed: readonly string[] = [];
  const lines = text.split('\n');
  assert.deepEqual(lines.slice(-2), ['# EOF', '']);
  for (const line of lines.slice(0, -2)) {
    const [, name = '', kind = ''] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? [];
    if (name !== '') {
      assert.ok(!kinds.has(name), `${name} is there twice`);
      assert.match(name, /^bricks_[a-z0-9_]+$/);
      kinds.set(name, kind);
      family = name;
      allowed = (suffixes[kind] ?? []).map((suffix) => `${name}${suffix}`);
      assert.ok(allowed.length > 0, line);
      continue;
    }
    if (line.startsWith('# HELP ')) {
      assert.ok(line.startsWith(`# HELP ${family} `), line);
      continue;
    }
    const [, sample = '', labels = '', value] =
      /^(\w+)(\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[\d.e+-]+)$/.exec(line) ?? [];
    assert.ok(allowed.includes(sample), `of ${family}: ${line}`);
    assert.ok(!values.has(sample + labels), `${line} is there twice`);
    values.set(sample + labels, Number(value));
  }
  return { values, kinds };
}

/** The tables know what is a counter and what a gauge; only of plugins' own figures nobody does. */
function checkKinds(kinds: ReadonlyMap<string, string>): void {
  const unknown = [...kinds].filter(([, kind]) => kind === 'unknown').map(([name]) => name);
  assert.deepEqual(unknown, ['bricks_plugin_figure']);
  const some = {
    bricks_session_live: 'gauge',
    bricks_session_closed: 'counter',
    bricks_session_stream_memory: 'gauge',
    bricks_session_queued: 'gauge',
    bricks_deduplicator_duplicates: 'counter',
    bricks_deduplicator_duplicates_per_million: 'gauge',
    bricks_merge_late: 'counter',
    bricks_queue_waiting: 'gauge',
    bricks_loadbalancer_sessions: 'gauge',
    bricks_loadbalancer_pinned: 'counter',
    bricks_plugin_calls: 'counter',
    bricks_queue_enqueued: 'counter',
    bricks_queue_backlog_bytes: 'gauge',
  };
  for (const [name, kind] of Object.entries(some)) assert.equal(kinds.get(name), kind, name);
}

test('/metrics: sessions, plugins and queues with the numbers of bricks status', async (t) => {
  const world = useWorld(t);
  const logger = join(root, 'examples/plugins/flow_logger.lua');
  const script = `BRICKS.queue_group{ id = 7, cir = 1250000, cbs = 15000, aqm = "codel" }
    s = Brick.new("Session", { plugins = { { "${logger}", name = "flow\\\\log",
      options = { file = "${world.folder}/conn.log" } } } })
    s:connect_input("gen:60?flows=100&seed=1&count=10000")
    dd = Brick.new("Deduplicator", { measure = true }) m = Brick.new("Merge", { window = 1 })
    q = Brick.new("Queue", { groups = { 7 } }) lb = Brick.new("LoadBalancer")
    s:connect_output("a{0") dd:connect_input("a}0") dd:connect_output("a{1")
    m:connect_input("a}1") m:connect_output("a{2") q:connect_input("a}2") q:connect_output("a{3")
    lb:connect_input("a}3") lb:connect_output("null:")
    q:link(lb) m:link(q) dd:link(m) s:link(dd)
    pe = PktEngine.new("e0") pe:link(s) pe:start() pe:wait()`;
  const server = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(server.code, 0, server.stderr);
  const { code, type, text } = await get(world, '/metrics');
  assert.equal(code, 200);
  assert.match(type, /^application\/openmetrics-text; version=1\.0\.0/);
  const { values, kinds } = parse(text);
  const status = JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
  const ledger = await world.ledger();
  const input = ledger.inputs[0]?.name ?? '';
  assert.equal(values.get(`bricks_input_packets_total{engine="e0",input="${input}"}`), 10_000);
  const delivered = values.get('bricks_pipe_packets_total{engine="e0",pipe="null:"}');
  assert.equal(delivered, ledger.outputs[0]?.delivered);
  assert.ok((delivered ?? 0) > 0);
  assert.equal(ledger.difference, 0);
  const figures = status.engines[0]?.bricks[0]?.figures ?? {};
  assert.ok((figures['closed'] ?? 0) > 0 && 'flow\\log.logged' in figures);
  const shown = (name: string, labels: string): number | undefined =>
    values.get(`${name}{${labels}}`) ?? values.get(`${name}_total{${labels}}`);
  const bricks = status.engines[0]?.bricks ?? [];
  assert.equal(bricks.length, 5);
  for (const { id, kind, figures: own } of bricks) {
    const of = `graph="e0",node="${id}"`;
    for (const [name, value] of Object.entries(own)) {
      const count = name.slice(name.lastIndexOf('.') + 1);
      const plugin = `${of},plugin="flow\\\\log"`;
      const series = name.includes('.')
        ? (shown(`bricks_plugin_${count}`, plugin) ??
          shown('bricks_plugin_figure', `${plugin},figure="${count}"`))
        : shown(`bricks_${kind.toLowerCase()}_${name}`, of);
      assert.equal(series, value, `${id}: ${name}`);
    }
  }
  const group = status.queue_groups[0];
  assert.ok(group !== undefined && group.id === 7);
  for (const [name, value] of Object.entries(group.counts))
    assert.equal(shown(`bricks_queue_${name}`, 'group="7"'), value, name);
  const waited = group.delays.reduce((sum, count) => sum + count, 0);
  assert.equal(values.get('bricks_queue_delay_seconds_bucket{group="7",le="+Inf"}'), waited);
  assert.equal(values.get('bricks_queue_delay_seconds_count{group="7"}'), waited);
  assert.ok(waited > 0);
  checkKinds(kinds);
  assert.equal((await world.run('bricks-shell', ['-c', 'pe:stop()'])).code, 0);
  const after = parse((await get(world, '/metrics')).text).values;
  for (const [series, value] of values)
    if (/_total\{/.test(series)) assert.ok((after.get(series) ?? -1) >= value, series);
  assert.equal(after.get('bricks_session_live{graph="e0",node="Session-1"}'), 0);
  assert.match((await get(world, '/nothing')).text, /^there are .*\/metrics/);
});
