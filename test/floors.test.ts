/** Who may know whom: the floors of native/ and the rooms of src/ (docs/style.md). */
import assert from 'node:assert/strict';
import { dirname, normalize } from 'node:path';
import { test } from 'node:test';
import { readSource, sourceFiles } from './support/source-tree.ts';

const files = sourceFiles();

/** A folder of native/ and what it may include beside itself. */
const floors: Readonly<Record<string, readonly string[]>> = {
  abi: [],
  client: ['abi'],
  // Libraries for LD_PRELOAD: other programs' interfaces, served by libbricks.
  preload: ['abi', 'client'],
  // The program that starts others with the libraries above.
  run: [],
  // Wireshark's door; writes captures as bricks cat does.
  extcap: ['abi', 'client'],
  mem: ['abi'],
  wire: ['abi', 'mem'],
  ports: ['abi', 'mem', 'wire'],
  // Stellar's packet IO library: ports under its names, for C programs.
  packet_io: ['abi', 'mem', 'wire', 'ports'],
  filter: ['abi', 'mem', 'wire'],
  // What sessions speak: pure readers of payload; beside them only vendor/ and libcrypto.
  decoders: ['abi', 'mem', 'wire'],
  // What FTP announces is a decoder's to read.
  sessions: ['abi', 'mem', 'wire', 'decoders'],
  streams: ['abi', 'mem', 'wire'],
  // Queue management: meters, AQM, groups, the egress scheduler.
  queues: ['abi', 'mem', 'wire'],
  // Who is called for which event, and what the callbacks may do.
  plugins: ['abi', 'mem', 'wire', 'sessions', 'streams', 'decoders', 'queues'],
  // Stellar's work loop, for C programs.
  worker: [
    'abi',
    'mem',
    'wire',
    'ports',
    'packet_io',
    'sessions',
    'streams',
    'decoders',
    'queues',
    'plugins',
  ],
  bricks: ['abi', 'mem', 'wire', 'ports', 'filter', 'sessions', 'queues', 'plugins'],
  engine: ['abi', 'mem', 'wire', 'ports', 'filter', 'sessions', 'queues', 'plugins', 'bricks'],
  // Programs of their own that read captures through the same wire and session floors.
  flows: ['abi', 'mem', 'wire', 'ports', 'sessions', 'streams'],
  addon: [
    'abi',
    'mem',
    'wire',
    'ports',
    'filter',
    'sessions',
    'queues',
    'plugins',
    'bricks',
    'engine',
  ],
};

/** A folder or file of src/ and what it may import beside itself. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  protocol: ['errors'],
  native: ['errors'],
  capture: ['errors'],
  traffic: ['errors'],
  flow: ['native', 'errors'],
  engine: ['flow', 'native', 'errors'],
  doctor: ['native', 'errors'],
  // The witness of bricks verify: judges, and shares nothing with what it judges.
  witness: ['capture', 'errors'],
  lua: ['engine', 'flow', 'native', 'errors'],
  // Plugins in TypeScript: their threads, what those run, and what their authors write with.
  plugins: ['native', 'errors'],
  shell: ['protocol', 'errors'],
  daemon: ['lua', 'plugins', 'engine', 'native', 'shell', 'protocol', 'errors'],
  // Types of `native` only: what snapshots and explanations look like; and doctor's binding.
  cli: [
    'daemon',
    'plugins',
    'doctor',
    'witness',
    'shell',
    'engine',
    'native',
    'protocol',
    'errors',
  ],
  index: ['engine', 'flow', 'native', 'protocol', 'capture', 'traffic', 'errors'],
};

test('native/: a folder includes itself and lower floors only', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const file of files.filter((name) => /^native\/.*\.(cc|hh|c|h)$/.test(name))) {
    const floor = dirname(file).split('/')[1] ?? '';
    const allowed = floors[floor];
    if (!allowed) {
      wrong.push(`${file}: native/${floor} is not in the table of floors`);
      continue;
    }
    for (const [, path = ''] of readSource(file).matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
      seen += 1;
      // Headers of abi/ include each other by bare name: users of libbricks copy them as they are.
      if (floor === 'abi' && !path.includes('/')) continue;
      const target = path.split('/')[0] ?? '';
      if (!path.includes('/') || (target !== floor && !allowed.includes(target)))
        wrong.push(`${file}: includes "${path}"`);
    }
  }
  assert.ok(seen > 20, 'found hardly any #include: is this looking in the right place?');
  assert.equal(wrong.join('\n'), '');
});

test('native/: only addon/ knows Node', () => {
  const wrong = files
    .filter((file) => /^native\/(?!addon\/).*\.(cc|hh|c|h)$/.test(file))
    .filter((file) => /#\s*include\s+[<"](napi|node|uv|v8|js_native)/.test(readSource(file)));
  assert.equal(wrong.join('\n'), '');
});

test('src/: a room imports only whom it may', () => {
  const wrong: string[] = [];
  const roomOf = (file: string) => file.split('/')[1]?.replace(/\.ts$/, '') ?? '';
  let seen = 0;
  for (const file of files.filter((name) => /^src\/.*\.ts$/.test(name))) {
    const room = roomOf(file);
    const allowed = rooms[room];
    if (!allowed) {
      wrong.push(`${file}: src/${room} is not in the table of rooms`);
      continue;
    }
    const imports = /(?:\bfrom|\bimport|\bimport\()\s*'(\.[^']+)'/g;
    for (const [, path = ''] of readSource(file).matchAll(imports)) {
      seen += 1;
      const target = roomOf(normalize(`${dirname(file)}/${path}`));
      if (target !== room && !allowed.includes(target)) wrong.push(`${file}: imports ${path}`);
    }
  }
  assert.ok(seen > 5, 'found hardly any import: is this looking in the right place?');
  assert.equal(wrong.join('\n'), '');
});

test('both tables are free of cycles', () => {
  for (const table of [floors, rooms]) {
    const done = new Set<string>();
    // Whoever knows only finished ones is finished; a cycle never gets there.
    for (let round = 0; round < Object.keys(table).length; round++)
      for (const [name, known] of Object.entries(table))
        if (known.every((other) => done.has(other))) done.add(name);
    assert.deepEqual([...done].sort(), Object.keys(table).sort());
  }
});
