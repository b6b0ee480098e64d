/** The pages of docs/cookbook do what they say: each is run as it is written. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pcapOf } from '../../src/traffic/traffic.ts';
import { makeWebTraffic } from '../../src/traffic/web.ts';
import { readSource, root } from '../support/source-tree.ts';
import { machine, parsePage } from './cookbook-page.ts';
import { has, searched } from './stock-programs.ts';
import { useWorld } from './world.ts';

const seed = 22;
const folder = 'docs/cookbook';
const pages = readdirSync(join(root, folder)).filter((name) => name !== 'README.md');

/** Tools that cannot be had here: what is theirs is shown, what is ours is run. */
const shownToo = new Set(['zeek.md', 'snort.md', 'arkime.md']);

for (const name of [...pages, '../wireshark.md']) {
  test(`cookbook: ${name}`, { timeout: 240_000 }, async (t) => {
    const page = parsePage(readSource(join(folder, name)));
    assert.ok(page.run > 0, 'it says nothing to type');
    if (!shownToo.has(name)) assert.equal(page.shown, 0, 'blocks of sh that nobody runs');
    if (process.getuid?.() !== 0) return t.skip('network namespaces take root');
    const used = ['tcpdump', 'tshark', 'tcpreplay', 'ip', 'unshare', ...page.needs];
    const missing = used.filter((program) => !has(program));
    if (missing.length > 0) {
      return t.skip(`${missing.join(', ')}: not installed; scripts/setup --tests does, as root`);
    }
    t.diagnostic(`seed ${seed}`);
    const world = useWorld(t);
    world.file('in.pcap', pcapOf(makeWebTraffic(seed, 100)));
    const expected = page.needs.includes('suricata')
      ? 'mkdir whole\nsuricata -r in.pcap -l whole > whole.log\nevents whole > expected.events\n'
      : '';
    const script = world.file('page.sh', `${machine}${expected}${page.script}\nfinish\n`);
    // Whatever it starts ends with its first process.
    const alone = ['-nm', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const run = world.startProgram('env', [
      ...['-u', 'BRICKS_RUN_DIR', `PATH=${join(root, 'bin')}:${searched['PATH']}`],
      ...['unshare', ...alone, 'bash', script],
    ]);
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, `${stdout.slice(-2000)}\n${stderr.slice(-4000)}`);
  });
}

test('the cookbook has a page for each tool of its index', () => {
  const index = readSource(join(folder, 'README.md'));
  const listed = [...index.matchAll(/\| \[\w+\]\((\w+\.md)\)/g)].map(([, page]) => page);
  assert.deepEqual(listed.sort(), pages.sort());
});
