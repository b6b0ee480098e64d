/**
 * The flow logger against Zeek's conn.log of the shared captures: every row of Zeek's has its row
 * of ours that says the same, and every row of ours one of Zeek's. What differs is a row of
 * flow-logger-zeek.tsv, with its reason (test/support/agreement.ts).
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultsOf } from '../support/agreement.ts';
import { listFlows } from '../support/flow-rows.ts';
import { capturesMissing, pcapFolder, type Row } from '../support/shared-captures.ts';
import { root } from '../support/source-tree.ts';
import {
  type Connection,
  compareFacts,
  endsText,
  factsText,
  sameEnds,
  sameUnknown,
  turned,
  type ZeekLog,
  zeekLogs,
} from '../support/zeek-logs.ts';
import { useWorld, type World } from './world.ts';

const library = `${root}/native/build/release/plugins/flow_logger.so`;
const skip =
  capturesMissing || (existsSync(library) ? false : 'plugins are not built: make core_test');

/** Zeek's own: tcp_inactivity_timeout, tcp_close_delay and so on; and it takes what it gets. */
const asZeek = `midstream = true, lingering = 5, tcp_opening = 300, tcp_active = 300,
  tcp_closing = 300, udp_opening = 60, udp_active = 60, icmp_opening = 60, icmp_active = 60`;

const captureOf = (path: string) => join(pcapFolder, path);

/** capture -> the logger's lines. */
async function logAll(world: World, captures: readonly string[]) {
  const script = captures.map(
    (capture, i) => `
    do
      local s = Brick.new("Session", { ${asZeek}, plugins = { { "${library}",
        options = { file = "${world.folder}/${i}.log" } } } })
      s:connect_input("pcap:${captureOf(capture)}"):connect_output("null:")
      local pe = PktEngine.new("e${i}")
      pe:link(s) pe:start() pe:wait(30) pe:stop() pe:delete()
    end`,
  );
  const { code, stderr } = await world.run('bricks', ['-f', world.file('z.lua', script.join(''))]);
  assert.equal(code, 0, stderr);
  return new Map(captures.map((capture, i) => [capture, readLines(`${world.folder}/${i}.log`)]));
}

function readLines(path: string): Connection[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const values = Object.entries(JSON.parse(line) as Record<string, string | number>);
      return Object.fromEntries(values.map(([name, value]) => [name, String(value)]));
    });
}

/** How a row of Zeek's is compared with one of ours, best first. */
const ways: readonly { name: string; ours: (row: Connection) => Connection }[] = [
  { name: 'same', ours: (row) => row },
  { name: 'turned', ours: turned },
];

const isSame = (zeek: Connection, ours: Connection) =>
  sameEnds(zeek, ours) || sameUnknown(zeek, ours);

/** Takes the row of `left` that says most of what Zeek says. */
function take(zeek: Connection, left: Connection[]): { way: string; row: Connection } | undefined {
  for (const { name, ours } of ways) {
    const wrong = left.map((row) =>
      isSame(zeek, ours(row)) ? compareFacts(zeek, ours(row)).wrong.length : Infinity,
    );
    const at = wrong.indexOf(Math.min(...wrong));
    const [row] = wrong[at] === Infinity || at < 0 ? [] : left.splice(at, 1);
    if (row !== undefined) return { way: name, row: ours(row) };
  }
  return undefined;
}

/** The connection that a tunnel is: the flow logger has those inside of it, `bricks flows` both. */
function outerFlow(zeek: Connection, flows: readonly Row[]): Connection | undefined {
  const rows = flows.filter(({ level }) => level === 'outer');
  return rows
    .map((row): Connection => {
      const { proto = '', ip_a = '', port_a = '', ip_b = '', port_b = '' } = row;
      const ends = {
        'id.orig_h': ip_a,
        'id.orig_p': port_a,
        'id.resp_h': ip_b,
        'id.resp_p': port_b,
      };
      const { pkts_ab = '', pkts_ba = '', payload_ab = '', payload_ba = '' } = row;
      const packets = { orig_pkts: pkts_ab, resp_pkts: pkts_ba };
      return { proto, ...ends, ...packets, orig_bytes: payload_ab, resp_bytes: payload_ba };
    })
    .find((flow) => sameEnds(zeek, flow));
}

interface Sums {
  rows: number;
  outer: number;
  facts: number;
}

function compareLog(log: ZeekLog, lines: readonly Connection[], sums: Sums): string[][] {
  const left = [...lines];
  const flows = listFlows(captureOf(log.capture)).rows;
  const found: string[][] = [];
  const add = (row: Connection, field: string, zeek: string, ours: string) =>
    found.push([log.capture, log.name, endsText(row), field, zeek, ours]);
  for (const zeek of log.rows) {
    const taken = take(zeek, left);
    const outer = taken === undefined ? outerFlow(zeek, flows) : undefined;
    const ours = taken?.row ?? outer;
    if (ours === undefined) {
      add(zeek, 'connection', factsText(zeek), '-');
      continue;
    }
    const { all, wrong } = compareFacts(zeek, ours);
    sums.rows += 1;
    sums.outer += outer === undefined ? 0 : 1;
    sums.facts += all - wrong.length;
    if (taken?.way === 'turned') add(zeek, 'direction', 'there', 'back');
    for (const fact of wrong) add(zeek, fact.field, fact.zeek, fact.ours);
  }
  for (const row of left) add(row, 'connection', '-', factsText(row));
  return found;
}

test('what Zeek says of the same connections', { skip }, async (t) => {
  const logs = zeekLogs();
  assert.ok(logs.length > 85, `${logs.length} logs`);
  const ours = await logAll(useWorld(t), [...new Set(logs.map(({ capture }) => capture))]);
  const sums = { rows: 0, outer: 0, facts: 0 };
  const found = logs.flatMap((log) => compareLog(log, ours.get(log.capture) ?? [], sums));
  const all = logs.reduce((sum, { rows }) => sum + rows.length, 0);
  t.diagnostic(
    `${logs.length} logs, ${all} rows, ${sums.rows} compared (${sums.outer} with outer flows), ` +
      `${sums.facts} facts the same`,
  );
  const faults = faultsOf('test/flow-logger-zeek.tsv', found);
  assert.equal(faults.slice(0, 60).join('\n'), '', `${faults.length} faults`);
  assert.ok(sums.rows > 0.95 * all, 'rows that are not compared');
});
