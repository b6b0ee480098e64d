/**
 * The flow logger against Zeek's conn.log of the shared captures: where both have a connection of
 * the same ends, all that both say of it is the same, but for the rows of flow-logger-zeek.tsv,
 * each with its reason. Connections that Zeek cuts otherwise (its time-outs, tunnels) are not
 * compared: which flows there are is what test/flow-agreement.test.ts holds.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { capturesMissing, pcapFolder, rowsOf, table } from '../support/shared-captures.ts';
import { root } from '../support/source-tree.ts';
import { useWorld } from './world.ts';

const library = `${root}/native/build/release/plugins/flow_logger.so`;
const skip =
  capturesMissing || (existsSync(library) ? false : 'plugins are not built: make core_test');

const fields = [
  'conn_state',
  'history',
  'orig_bytes',
  'resp_bytes',
  'missed_bytes',
  'orig_pkts',
  'resp_pkts',
  'orig_ip_bytes',
  'resp_ip_bytes',
];
type Line = Record<string, string | number>;

const ends = (row: Line): string =>
  ['proto', 'id.orig_h', 'id.orig_p', 'id.resp_h', 'id.resp_p'].map((name) => row[name]).join(' ');

/** Rows of a log of Zeek's with conn_state; without what it leaves open (`-`). */
function zeekRows(path: string): Line[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  const names =
    lines
      .find((line) => line.startsWith('#fields'))
      ?.split('\t')
      .slice(1) ?? [];
  if (!names.includes('conn_state')) return [];
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const cells = line.split('\t');
      const said = names.map((name, i): [string, string] => [name, cells[i] ?? '']);
      return Object.fromEntries(said.filter(([, value]) => value !== '-'));
    });
}

interface Pair {
  readonly capture: string;
  readonly zeek: Line[];
}

function pairs(): Pair[] {
  return table('MANIFEST.tsv').flatMap((row) => {
    const log = (row['expected_facts'] ?? '')
      .split(';')
      // The other variants of a test switch something of Zeek's off.
      .filter((fact) => /^expected\/zeek\/.*\/conn\.log$/.test(fact) && !/skip_/.test(fact))
      .map((fact) => join(pcapFolder, fact))
      .find((path) => existsSync(path) && zeekRows(path).length > 0);
    return log === undefined ? [] : [{ capture: row['file'] ?? '', zeek: zeekRows(log) }];
  });
}

test('what Zeek says of the same connections', { skip }, async (t) => {
  const world = useWorld(t);
  const all = pairs();
  assert.ok(all.length > 30, `${all.length} captures`);
  const script = all.map(
    ({ capture }, i) => `
    do
      local s = Brick.new("Session", { plugins = { { "${library}",
        options = { file = "${world.folder}/${i}.log" } } } })
      s:connect_input("pcap:${join(pcapFolder, capture)}"):connect_output("null:")
      local pe = PktEngine.new("e${i}")
      pe:link(s) pe:start() pe:wait(30) pe:stop() pe:delete()
    end`,
  );
  const { code, stderr } = await world.run('bricks', ['-f', world.file('z.lua', script.join(''))]);
  assert.equal(code, 0, stderr);
  const explained = new Map(
    rowsOf(readFileSync(`${root}/test/flow-logger-zeek.tsv`, 'utf8')).map((row) => [
      [row['capture'], row['ends'], row['field']].join('\t'),
      [row['zeek'], row['ours']].join('\t'),
    ]),
  );
  const wrong: string[] = [];
  let compared = 0;
  all.forEach(({ capture, zeek }, i) => {
    const lines = readFileSync(`${world.folder}/${i}.log`, 'utf8').split('\n');
    const ours = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Line);
    for (const row of zeek) {
      const at = ours.findIndex((line) => ends(line) === ends(row));
      const line = ours.splice(at, at < 0 ? 0 : 1)[0];
      if (at < 0 || line === undefined) continue;
      for (const field of fields.filter((name) => name in row)) {
        compared += 1;
        const both = `${row[field]}\t${line[field]}`;
        const key = [capture, ends(row), field].join('\t');
        if (String(row[field]) === String(line[field]) || explained.get(key) === both) {
          if (explained.get(key) === both) explained.delete(key);
          continue;
        }
        wrong.push(`${key}\t${both}`);
      }
    }
  });
  assert.equal(wrong.join('\n'), '');
  assert.deepEqual([...explained.keys()], [], 'rows that are not needed any more');
  assert.ok(compared > 500, `${compared} facts were compared`);
});
