/**
 * What the decoders make of real captures, against what tshark and nDPI say of them. Each
 * difference is a row of decoder-agreement.tsv, with its reason; there are no others.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAgreement, reasonFaults } from './support/agreement.ts';
import { capturesMissing, pcapFolder, table } from './support/shared-captures.ts';
import { root } from './support/source-tree.ts';

const program = join(root, 'native/build/release/decode-capture');
const missing = capturesMissing || (!existsSync(program) && `no ${program}: make -C native all`);

/** Of each protocol some; tshark takes its time. */
const captures = [
  'arkime/http-301-get.pcap',
  'bruteshark/Voip_Calls__SIP__RTP_/sip-rtp-lpc.pcap',
  'nDPI/NTPv4.pcap',
  'nDPI/quic-v2.pcapng',
  'zeek/ftp/ipv4.pcap',
  'zeek/http/multipart-form-data.pcap',
  'zeek/ssh/ssh_kex_curve25519.pcap',
  'joy/dhcp.pcap',
  'mercury/quic_reordered_frames.pcap',
  'dns-stats-compactor/testcontent-ednsflags.pcap',
].filter((file) => existsSync(join(pcapFolder, 'pcap', file)));

type Record = { readonly kind: string; readonly values: ReadonlyMap<string, string> };

function decode(file: string): Record[] {
  const ran = spawnSync(program, [join(pcapFolder, file)], {
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  assert.equal(ran.status, 0, ran.stderr);
  const lines = ran.stdout.split('\n').map((line) => line.split('\t'));
  assert.match(ran.stdout, /^counts\tbuffers=0\t/m, `${file}: a buffer was kept`);
  return lines
    .filter(([, , what]) => what !== undefined && what !== 'is')
    .map(([, , , kind = '', , ...fields]) => ({
      kind,
      values: new Map(fields.map((field) => splitAt(field, '='))),
    }));
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A record as one line of facts, in the words that tshark's fields are put into below. */
function factsOf({ kind, values }: Record): string[] {
  const get = (name: string) => values.get(name) ?? '';
  switch (kind) {
    case 'client_hello':
      return get('sni') ? [`sni ${get('sni')}`] : [];
    case 'dns':
      return [`dns ${get('id')} ${get('response')} ${unescaped(get('name')).toLowerCase()}`];
    case 'request':
      return [`http ${get('method')} ${get('target')}`, `host ${get('host')}`];
    case 'response':
      return [`status ${get('status')}`];
    case 'banner': {
      const comment = get('comment') ? ` ${get('comment')}` : '';
      return [`ssh SSH-${get('protocol')}-${get('software')}${comment}`];
    }
    case 'sip_request':
      return [`sip ${get('method')} ${get('call_id')}`];
    case 'sip_response':
      return [`sip ${get('status')} ${get('call_id')}`];
    case 'command':
      return [`ftp ${get('command')}`];
    case 'reply':
      return [`ftp ${get('code')}`];
    case 'ntp':
      return [`ntp ${get('mode')}`];
    case 'dhcp4':
      return [`dhcp ${get('type')} ${get('transaction')}`];
    default:
      return [];
  }
}
const unescaped = (name: string) =>
  name.replaceAll(/\\x5c(\d{3})/g, (_, code: string) => String.fromCharCode(Number(code)));

const fields = [
  'tls.handshake.extensions_server_name',
  'dns.id',
  'dns.flags.response',
  'dns.qry.name',
  'http.request.method',
  'http.request.uri',
  'http.host',
  'http.response.code',
  'ssh.protocol',
  'sip.Method',
  'sip.Status-Code',
  'sip.Call-ID',
  'ftp.request.command',
  'ftp.response.code',
  'ntp.flags.mode',
  'dhcp.option.dhcp',
  'dhcp.id',
];

function tsharkFacts(file: string): Set<string> {
  const display =
    'tls.handshake.type==1 or dns or mdns or llmnr or http or ssh.protocol or sip or ftp or ntp ' +
    'or dhcp';
  const options = fields.flatMap((field) => ['-e', field]);
  const ran = spawnSync(
    'tshark',
    ['-n', '-r', join(pcapFolder, file), '-Y', display, '-T', 'fields', ...options].concat(
      ['separator=/t', 'occurrence=a', 'aggregator=\u0001'].flatMap((each) => ['-E', each]),
    ),
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  assert.equal(ran.status, 0, ran.stderr);
  const made = new Set<string>();
  for (const line of ran.stdout.split('\n')) {
    const cells = line.split('\t').map((cell) => cell.split('\u0001').filter((one) => one !== ''));
    const all = (name: string) => cells[fields.indexOf(name)] ?? [];
    const first = (name: string) => all(name)[0] ?? '';
    for (const name of all('tls.handshake.extensions_server_name')) made.add(`sni ${name}`);
    if (first('dns.id')) {
      const name = first('dns.qry.name').toLowerCase().replace('<root>', '.');
      const response = first('dns.flags.response').replace('True', '1').replace('False', '0');
      made.add(`dns ${Number(first('dns.id'))} ${response} ${name}`);
    }
    all('http.request.method').forEach((method, index) => {
      made.add(`http ${method} ${all('http.request.uri')[index] ?? ''}`);
      made.add(`host ${all('http.host')[index] ?? ''}`);
    });
    for (const status of all('http.response.code')) made.add(`status ${status}`);
    for (const banner of all('ssh.protocol')) made.add(`ssh ${banner}`);
    for (const word of [...all('sip.Method'), ...all('sip.Status-Code')]) {
      if (first('sip.Call-ID')) made.add(`sip ${word} ${first('sip.Call-ID')}`);
    }
    for (const word of all('ftp.request.command')) made.add(`ftp ${word}`);
    for (const code of all('ftp.response.code')) made.add(`ftp ${code}`);
    if (first('ntp.flags.mode')) made.add(`ntp ${first('ntp.flags.mode')}`);
    if (first('dhcp.id')) {
      made.add(`dhcp ${first('dhcp.option.dhcp') || 0} ${Number(first('dhcp.id'))}`);
    }
  }
  return made;
}

/** Rows `peer, file, who has it, what`, without their reasons. */
function explained(peer: string): string[] {
  const agreement = readAgreement('test/decoder-agreement.tsv');
  assert.deepEqual(reasonFaults(agreement), []);
  return [...agreement.rows.keys()].filter((key) => key.startsWith(`${peer}\t`)).sort();
}

function differences(peer: string, file: string, ours: Set<string>, theirs: Set<string>) {
  return [
    ...[...ours].filter((fact) => !theirs.has(fact)).map((fact) => `we\t${fact}`),
    ...[...theirs].filter((fact) => !ours.has(fact)).map((fact) => `they\t${fact}`),
  ].map((row) => `${peer}\t${file}\t${row}`);
}

test('decoders: names, requests and replies are those that tshark reads', (t) => {
  if (missing) return t.skip(missing);
  if (spawnSync('tshark', ['-v']).error) return t.skip('no tshark: scripts/setup --tests');
  assert.ok(captures.length >= 10, 'the captures are not where this test looks');
  let same = 0;
  const found = captures.flatMap((file) => {
    const ours = new Set(decode(`pcap/${file}`).flatMap(factsOf));
    const theirs = tsharkFacts(`pcap/${file}`);
    same += [...ours].filter((fact) => theirs.has(fact)).length;
    return differences('tshark', file, ours, theirs);
  });
  assert.deepEqual(found.sort(), explained('tshark'));
  assert.ok(same > 80, `only ${same} facts in common`);
});

test('decoders: JA4 is that of nDPI', (t) => {
  if (missing) return t.skip(missing);
  let same = 0;
  const found = table('MANIFEST.tsv').flatMap(({ file = '', expected_facts: facts = '' }) => {
    const expected = facts.split(';').find((name) => name.startsWith('expected/nDPI/'));
    if (expected === undefined) return [];
    const said = readFileSync(join(pcapFolder, expected), 'latin1');
    const theirs = new Set([...said.matchAll(/JA4: (\w+)/g)].map(([, ja4 = '']) => ja4));
    if (theirs.size === 0) return [];
    const ours = new Set(decode(file).map(({ values }) => values.get('ja4') ?? ''));
    ours.delete('');
    same += [...ours].filter((ja4) => theirs.has(ja4)).length;
    return differences('nDPI', file.replace('pcap/', ''), ours, theirs);
  });
  assert.deepEqual(found.sort(), explained('nDPI'));
  assert.ok(same > 20, `only ${same} fingerprints in common`);
});
