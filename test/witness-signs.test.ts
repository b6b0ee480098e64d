/**
 * Whatever the decoders say that a session speaks, the witness of `bricks verify` has a sign of it
 * in the session's packets: else it would call the session's move to that output a split. Some of
 * the shared captures, with and without tunnels.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { saidIn } from '../src/capture/flow.ts';
import { readCapture } from '../src/capture/read.ts';
import { Pieces, speechOf } from '../src/witness/speech.ts';
import { capturesMissing, type SharedCapture, sharedCaptures } from './support/shared-captures.ts';
import { root } from './support/source-tree.ts';

const program = join(root, 'native/build/release/decode-capture');
const missing = capturesMissing || (!existsSync(program) && `no ${program}: make -C native all`);
const bytesMax = 300_000;
const every = 4;

/** By protocol and ports: what signs there are. */
function signsIn(path: string): Map<string, Set<string>> {
  const signs = new Map<string, Set<string>>();
  const pieces = new Map<string, Pieces>();
  for (const record of readCapture(path).records) {
    const said = saidIn(record);
    if (said === undefined) continue;
    const flow = flowOf(said.isTcp, said.ports);
    const side = `${flow} ${said.by}`;
    const known = pieces.get(side) ?? new Pieces();
    pieces.set(side, known);
    const own = signs.get(flow) ?? new Set();
    signs.set(flow, own);
    for (const sign of known.add(speechOf(said))) own.add(sign);
  }
  return signs;
}

const flowOf = (isTcp: boolean, ports: readonly number[]): string =>
  `${isTcp ? 'tcp' : 'udp'} ${[...ports].sort((a, b) => a - b).join(' ')}`;

/** Sessions that speak something: flow and protocol. */
function spokenIn(path: string): { flow: string; protocol: string }[] {
  const { status, stdout } = spawnSync(program, [path], { encoding: 'latin1', maxBuffer: 1 << 28 });
  if (status !== 0) return [];
  return stdout
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([, , what, protocol]) => what === 'is' && protocol !== 'unknown')
    .map(([transport, tuple = '', , protocol = '']) => {
      const [, one, , other] = tuple.split('|').map(Number);
      return { flow: flowOf(transport === 'tcp', [one ?? 0, other ?? 0]), protocol };
    });
}

test('what decoders know a session by is a sign to the witness', { skip: missing }, (t) => {
  const small = ({ path, format }: SharedCapture): boolean =>
    format.startsWith('pcap') && existsSync(path) && statSync(path).size < bytesMax;
  const protocols = new Set<string>();
  const faults: string[] = [];
  let sessions = 0;
  for (const { file, path } of sharedCaptures()
    .filter((_, index) => index % every === 0)
    .filter(small)) {
    const spoken = spokenIn(path);
    if (spoken.length === 0) continue;
    const signs = signsIn(path);
    for (const { flow, protocol } of spoken) {
      sessions += 1;
      protocols.add(protocol);
      const own = signs.get(flow);
      if (!own?.has(protocol))
        faults.push(`${file}: ${flow} speaks ${protocol}: ${[...(own ?? [])]}`);
    }
  }
  t.diagnostic(`${sessions} sessions, ${protocols.size} protocols`);
  assert.ok(sessions > 200 && protocols.size >= 8, `${sessions}: ${[...protocols]}`);
  assert.equal(faults.slice(0, 20).join('\n'), '', `${faults.length} faults`);
});
