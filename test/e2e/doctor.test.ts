import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Finding } from '../../src/doctor/finding.ts';
import { isSymmetricKey } from '../../src/doctor/interface.ts';
import { root } from '../support/source-tree.ts';
import { noNetwork, useNetwork } from '../support/veth-network.ts';
import { useWorld, type World } from './world.ts';

interface Report {
  readonly ok: boolean;
  readonly findings: Finding[];
}

test('doctor: the machine alone; an interface that is not there', async (t) => {
  const world = useWorld(t);
  const { code, stdout } = await world.run('bricks', ['doctor', '--json']);
  const { ok, findings } = JSON.parse(stdout) as Report;
  assert.equal(code, ok ? 0 : 8);
  for (const check of ['rights: cap_net_raw', 'clock: source', 'cpu: processors']) {
    assert.ok(
      findings.some((finding) => finding.check === check),
      check,
    );
  }
  const gone = await world.run('bricks', ['doctor', 'nowhere9']);
  assert.equal(gone.code, 6);
  assert.match(gone.stderr, /no interface 'nowhere9'/);
});

test('a key that makes Toeplitz symmetric', () => {
  assert.ok(isSymmetricKey(Uint8Array.from([0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a])));
  assert.ok(!isSymmetricKey(Uint8Array.from([0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b])));
});

async function examine(world: World, network: ReturnType<typeof useNetwork>): Promise<Report> {
  const [command, args] = network.command(join(root, 'bin', 'bricks'), [
    'doctor',
    'eth3',
    '--json',
  ]);
  const { code, stdout, stderr } = await world.startProgram(command, args, '').ended;
  const report = JSON.parse(stdout || 'null') as Report | null;
  assert.ok(report !== null, stderr);
  assert.equal(code, report.ok ? 0 : 8);
  return report;
}

test('doctor eth3: finds offloads, and the line it prints mends them', {
  skip: noNetwork,
}, async (t) => {
  const world = useWorld(t);
  const network = useNetwork(t, [{ name: 'eth3' }]);
  const stateOf = ({ findings }: Report, check: string): string | undefined =>
    findings.find((finding) => finding.check === check)?.state;
  const before = await examine(world, network);
  assert.equal(stateOf(before, 'eth3: tso'), 'fault');
  assert.equal(stateOf(before, 'eth3: link'), 'ok');
  const mend = before.findings.find(({ check }) => check === 'eth3: tso')?.mend ?? '';
  assert.equal(mend, 'sudo ethtool -K eth3 tso off');
  const faults = before.findings.filter(
    ({ check, state }) => /^eth3/.test(check) && state === 'fault',
  );
  for (const { mend: line = '' } of faults) {
    const [command, args] = network.command('sh', ['-c', line.replace(/^sudo /, '')]);
    const { code, stderr } = await world.startProgram(command, args, '').ended;
    if (code === 127) return t.skip('ethtool is not installed: scripts/setup --tests');
    assert.equal(code, 0, stderr);
  }
  const after = await examine(world, network);
  assert.deepEqual(
    after.findings.filter(({ check, state }) => /^eth3/.test(check) && state === 'fault'),
    [],
  );
});
