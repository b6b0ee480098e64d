/** The prompt, as somebody at a terminal meets it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { useWorld } from './world.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;
const options = { skip: !hasScript && 'the program script (util-linux) is not there' };
const enter = '\r';
const [interrupt, endOfInput, up, tab] = ['\x03', '\x04', '\x1b[A', '\t'];

test(
  'at home: script, lines, continuation, history, completion, io.read, Ctrl-D',
  options,
  async (t) => {
    const world = useWorld(t);
    const script = world.file('start.lua', 'print("started") function double(x) return 2 * x end');
    const home = world.startOnTerminal('bricks', `-f '${script}'`);
    await home.says(/started[\s\S]*BRICKS-[\s\S]*bricks> /);
    await home.type(`double(21)${enter}`, /\n42\r\n[\s\S]*bricks> /);
    await home.type(`for i = 7, 8 do${enter}`, /bricks\?>> /);
    await home.type(`print(i)${enter}`, /bricks\?>> /);
    await home.type(`end${enter}`, /\n7\r\n8\r\n[\s\S]*bricks> /);
    await home.type(`= 1, "two"${enter}`, /\n1\r?\n?[\s\S]*two\r\n[\s\S]*bricks> /);
    await home.type(`PktEngine.retr${tab}`, /retrieve/);
    await home.type(interrupt, /\^C\r\n[\s\S]*bricks> /);
    await home.type(`error("boom")${enter}`, /bricks: .*boom\r\n[\s\S]*bricks> /);
    await home.type(`x = io.read()${enter}`, /x = io\.read\(\)\r\r?\n/);
    await home.type(`by hand${enter}`, /bricks> /);
    await home.type(`x${enter}`, /\nby hand\r\n[\s\S]*bricks> /);
    await home.type(`_PROMPT = "mine: "${enter}`, /Jmine: /);
    await home.type(`${up}${up}${enter}`, /\nby hand\r\n/);
    await home.type(endOfInput, /Goodbye!/);
    assert.equal((await home.ended).code, 0);
    assert.match(world.read('.bricks_history'), /^double\(21\)\nfor i = 7, 8 do\n/);
    assert.deepEqual(readdirSync(world.runDir), []);
  },
);

test('Ctrl-C interrupts what runs, and only that, at home and far away', options, async (t) => {
  const world = useWorld(t);
  const home = world.startOnTerminal('bricks');
  await home.says(/bricks> /);
  const shell = world.startOnTerminal('bricks-shell');
  await shell.says(/bricks> /);
  for (const program of [home, shell]) {
    await program.type(`io.write("in", "side\\n") while true do end${enter}`, /\ninside/);
    await program.type(interrupt, /bricks: interrupted\r\n[\s\S]*bricks> /);
    await program.type(`40 + 2${enter}`, /\n42\r\n[\s\S]*bricks> /);
  }
  home.write(endOfInput);
  assert.equal((await home.ended).code, 0);
  const { code, stdout } = await shell.ended;
  assert.equal(code, 4);
  assert.match(stdout, /bricks: the daemon has gone/);
});

test('Tab: globals, methods, brick kinds, ports and files', options, async (t) => {
  const world = useWorld(t);
  world.file('pictures of_nets.lua', 'print("from the file")');
  const script = world.file(
    'start.lua',
    'function long_name_of_mine() print("called") end\n' +
      'pe = PktEngine.new("engine_one") b = Brick.new("Merge")\n' +
      'b:connect_input("gen:60") b:connect_output("web{0") pe:link(b)',
  );
  const home = world.startOnTerminal('bricks', `-f '${script}'`);
  await home.says(/bricks> /);
  for (const [typed, completed, rest, answer] of [
    ['long_na', /long_name_of_mine/, '()', /\ncalled\r\n/],
    ['PktEng', /PktEngine/, ' == nil', /\nfalse\r\n/],
    ['type(pe:show_s', /pe:show_stats/, '())', /\nuserdata\r\n|\ntable\r\n/],
    ['type(Brick.new("LoadBal', /LoadBalancer/, '"))', /\nuserdata\r\n|\ntable\r\n/],
    ['type(PktEngine.retrieve("engine_', /engine_one/, '"))', /\nuserdata\r\n|\ntable\r\n/],
    ['dofile("pict', /pictures of_nets\.lua/, '")', /\nfrom the file\r\n/],
    ['#tostring("web{', /web\{0/, '")', /\n5\r\n/],
    ['#tostring("pcap:pictures', /pcap:pictures of_nets\.lua/, '")', /\n25\r\n/],
  ] as const) {
    await home.type(`${typed}${tab}`, completed);
    await home.type(`${rest}${enter}`, new RegExp(`${answer.source}[\\s\\S]*bricks> `));
  }
  home.write(endOfInput);
  assert.equal((await home.ended).code, 0);
});

test('two shells at once: one state, own interrupts, history for the next', options, async (t) => {
  const world = useWorld(t);
  assert.equal((await world.run('bricks-server', [])).code, 0);
  const [anna, bert] = [
    world.startOnTerminal('bricks-shell'),
    world.startOnTerminal('bricks-shell'),
  ];
  await anna.says(/bricks> /);
  await bert.says(/bricks> /);
  await anna.type(`shared = "by anna"${enter}`, /bricks> /);
  await bert.type(`shared${enter}`, /\nby anna\r\n[\s\S]*bricks> /);
  await anna.type(`io.write("in", "side\\n") while true do end${enter}`, /\ninside/);
  // Bert's line waits for its turn; his Ctrl-C takes back that, and not what Anna runs.
  // A Ctrl-C that comes before the shell has taken the line is the editor's, not a signal.
  await bert.type(`"bert's turn"${enter}`, /bert's turn"[^\n]*\r\n/);
  await bert.type(interrupt, /bricks: interrupted[\s\S]*bricks> /);
  const third = world.startOnTerminal('bricks-shell');
  await third.says(/bricks> /);
  assert.doesNotMatch(anna.text, /interrupted/);
  await anna.type(interrupt, /bricks: interrupted\r\n[\s\S]*bricks> /);
  await bert.type(`"now " .. shared${enter}`, /\nnow by anna\r\n[\s\S]*bricks> /);
  await anna.type(`"last of anna"${enter}`, /\nlast of anna\r\n[\s\S]*bricks> /);
  for (const shell of [anna, bert, third]) {
    shell.write(endOfInput);
    assert.equal((await shell.ended).code, 0);
  }
  const next = world.startOnTerminal('bricks-shell');
  await next.says(/bricks> /);
  await next.type(`${up}${enter}`, /\nlast of anna\r\n[\s\S]*bricks> /);
  await next.type(`${up}${up}${enter}`, /\nnow by anna\r\n[\s\S]*bricks> /);
  next.write(endOfInput);
  assert.equal((await next.ended).code, 0);
});
