/**
 * Sessions as a plugin is told of them, against the flows that `bricks flows` lists of the same
 * captures: the same conversations, packets and bytes both ways.
 */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listFlows } from '../support/flow-rows.ts';
import {
  addressHex,
  capturesMissing,
  type Row,
  type SharedCapture,
  sharedCaptures,
} from '../support/shared-captures.ts';
import { root } from '../support/source-tree.ts';
import { useWorld } from './world.ts';

const plugin = join(root, 'native/build/release/plugins/session_probe.so');
const capturesMax = 60;
const numbers = new Map([
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
]);

/** Packets and bytes from the lower end, then from the other. */
type Counts = readonly [number, number, number, number];

function add(to: Map<string, Counts>, proto: number, ends: [string, string], counts: Counts): void {
  const turned = ends[0] > ends[1];
  const [a, b, c, d] = counts;
  const own: Counts = turned ? [c, d, a, b] : counts;
  const name = `${proto} ${[...ends].sort().join(' ')}`;
  const known = to.get(name) ?? [0, 0, 0, 0];
  to.set(name, known.map((value, i) => value + (own[i] ?? 0)) as unknown as Counts);
}

function flowsOf(rows: readonly Row[]): Map<string, Counts> {
  const made = new Map<string, Counts>();
  for (const row of rows) {
    const proto = numbers.get((row['proto'] ?? '').toLowerCase());
    if (proto === undefined || row['level'] === 'outer') continue;
    const end = (side: string) =>
      `${addressHex((row[`ip_${side}`] ?? '').replace(/^\[|\]$/g, ''))}:${row[`port_${side}`]}`;
    const counts = ['pkts_ab', 'bytes_ab', 'pkts_ba', 'bytes_ba'].map((name) => Number(row[name]));
    add(made, proto, [end('a'), end('b')], counts as unknown as Counts);
  }
  return made;
}

function sessionsOf(text: string): Map<string, Counts> {
  const made = new Map<string, Counts>();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [proto = '', a = '', b = '', ...counts] = line.split(' ');
    if (![...numbers.values()].includes(Number(proto))) continue;
    const [there, back, thereBytes, backBytes] = counts.map(Number);
    const four = [there, thereBytes, back, backBytes] as unknown as Counts;
    add(made, Number(proto), [a, b], four);
  }
  return made;
}

interface Status {
  readonly engines: readonly {
    readonly name: string;
    readonly bricks: readonly { readonly figures: Readonly<Record<string, number>> }[];
  }[];
}

/** Small captures of all kinds that are whole. */
function chosen(): SharedCapture[] {
  const whole = sharedCaptures().filter(
    ({ path, damage, packets }) =>
      damage === '-' && packets > 3 && statSync(path).size < 500_000 && listFlows(path).code === 0,
  );
  const every = Math.max(1, Math.floor(whole.length / capturesMax));
  return whole.filter((_, index) => index % every === 0).slice(0, capturesMax);
}

test('sessions of real captures are the flows that bricks flows lists', {
  skip: capturesMissing,
}, async (t) => {
  const world = useWorld(t);
  const captures = chosen();
  const script = captures.map(
    ({ path }, i) =>
      `s = Brick.new("Session", { midstream = true, plugins = { { ${JSON.stringify(plugin)},
         options = { lines = true, file = "${world.folder}/${i}.ends" } } } })
       s:connect_input(${JSON.stringify(`pcap:${path}`)}) s:connect_output("null:")
       pe = PktEngine.new("e${i}") pe:link(s) pe:start() pe:wait()`,
  );
  const { code, stderr } = await world.run('bricks-server', [
    '-f',
    world.file('s.lua', script.join('\n')),
  ]);
  assert.equal(code, 0, stderr);
  const said = await world.run('bricks', ['status', '--json']);
  const { engines } = JSON.parse(said.stdout) as Status;
  assert.equal((await world.ledger()).difference, 0);
  // Ends with it: what plugins have written is in their files.
  await world.run('bricks', ['kill-server']);
  let exact = 0;
  let all = 0;
  for (const [i, { file, path }] of captures.entries()) {
    const figures = engines.find(({ name }) => name === `e${i}`)?.bricks[0]?.figures ?? {};
    const figure = (name: string) => figures[name] ?? 0;
    assert.equal(figure('created'), figure('closed'), file);
    const flows = flowsOf(listFlows(path).rows);
    const sessions = sessionsOf(world.read(`${i}.ends`));
    // Packets that come when a session is over belong to none, an ICMP error to what it quotes.
    const less = figure('late') + figure('without');
    const more = figure('icmp_related');
    for (const name of new Set([...flows.keys(), ...sessions.keys()])) {
      const theirs = flows.get(name) ?? [0, 0, 0, 0];
      const ours = sessions.get(name) ?? [0, 0, 0, 0];
      const [packets, sum] = [ours[0] + ours[2], theirs[0] + theirs[2]];
      assert.ok(
        packets >= sum - less && packets <= sum + more,
        `${file}: ${name}: sessions have ${ours.join('/')}, flows ${theirs.join('/')}`,
      );
      all += 1;
      exact += ours.join() === theirs.join() ? 1 : 0;
    }
  }
  t.diagnostic(
    `${exact} of ${all} flows of ${captures.length} captures are the same in all counts`,
  );
  assert.ok(exact > all * 0.95 && all > 200, `${exact} of ${all}`);
});
