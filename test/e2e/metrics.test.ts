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

/** Reads it as the standard has it; series -> value. */
function parse(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const seen = new Set<string>();
  let family = '';
  let allowed: readonly string[] = [];
  const lines = text.split('\n');
  assert.deepEqual(lines.slice(-2), ['# EOF', '']);
  for (const line of lines.slice(0, -2)) {
    const [, name = '', kind = ''] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? [];
    if (name !== '') {
      assert.ok(!seen.has(name), `${name} is there twice`);
      assert.match(name, /^bricks_[a-z0-9_]+$/);
      seen.add(name);
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
  return values;
}

test('/metrics: sessions, plugins and queues with the numbers of bricks status', async (t) => {
  const world = useWorld(t);
  const logger = join(root, 'examples/plugins/flow_logger.lua');
  const script = `BRICKS.queue_group{ id = 7, cir = 1250000, cbs = 15000, aqm = "codel" }
    s = Brick.new("Session", { plugins = { { "${logger}", name = "flow\\\\log",
      options = { file = "${world.folder}/conn.log" } } } })
    s:connect_input("gen:60?flows=100&seed=1&count=10000") s:connect_output("null:")
    pe = PktEngine.new("e0") pe:link(s) pe:start() pe:wait()`;
  const server = await world.run('bricks-server', ['-f', world.file('s.lua', script)]);
  assert.equal(server.code, 0, server.stderr);
  const { code, type, text } = await get(world, '/metrics');
  assert.equal(code, 200);
  assert.match(type, /^application\/openmetrics-text; version=1\.0\.0/);
  const values = parse(text);
  const status = JSON.parse((await world.run('bricks', ['status', '--json'])).stdout) as Status;
  const ledger = await world.ledger();
  const input = ledger.inputs[0]?.name ?? '';
  assert.equal(values.get(`bricks_input_packets_total{engine="e0",input="${input}"}`), 10_000);
  assert.equal(values.get('bricks_pipe_packets_total{engine="e0",pipe="null:"}'), 10_000);
  const figures = status.engines[0]?.bricks[0]?.figures ?? {};
  assert.ok((figures['closed'] ?? 0) > 0 && 'flow\\log.logged' in figures);
  const of = 'graph="e0",node="Session-1"';
  const plugin = `${of},plugin="flow\\\\log"`;
  for (const [name, value] of Object.entries(figures)) {
    const count = name.slice(name.lastIndexOf('.') + 1);
    const series = name.includes('.')
      ? [
          `bricks_plugin_${count}_total{${plugin}}`,
          `bricks_plugin_figure{${plugin},figure="${count}"}`,
        ]
      : [`bricks_session_${name}{${of}}`];
    const shown = series.map((each) => values.get(each)).find((each) => each !== undefined);
    assert.equal(shown, value, name);
  }
  const group = status.queue_groups[0];
  assert.ok(group !== undefined && group.id === 7);
  for (const [name, value] of Object.entries(group.counts))
    assert.equal(values.get(`bricks_queue_${name}{group="7"}`), value, name);
  const waited = group.delays.reduce((sum, count) => sum + count, 0);
  assert.equal(values.get('bricks_queue_delay_seconds_bucket{group="7",le="+Inf"}'), waited);
  assert.equal(values.get('bricks_queue_delay_seconds_count{group="7"}'), waited);
  assert.match((await get(world, '/nothing')).text, /^there are .*\/metrics/);
});
