import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { luaReferencePage } from '../../../src/lua/reference.ts';
import { Signals } from '../../../src/lua/signals.ts';
import { LuaSession } from '../support/lua-session.ts';

const typed: readonly (readonly [string, string])[] = [
  ['1 + 1', '2\n'],
  ['= 5, "x"', '5\nx\n'],
  ['x = 3', ''],
  ['x', '3\n'],
  ['nil', 'nil\n'],
  ['print("hi")', 'hi\n'],
  ['for i = 1, 2 do', '...'],
  ['text = [[', '...'],
  ['f(', '...'],
  ['', ''],
  [')', "syntax_error: stdin:1: unexpected symbol near ')'"],
  ['nothing()', "script_failed: stdin:1: attempt to call a nil value (global 'nothing')"],
  [
    '{ 3, "a", b = { c = true }, ["two words"] = 1 }',
    '{ 3, "a", ["two words"] = 1, b = { c = true } }\n',
  ],
  ['{}', '{}\n'],
  ['do local t = {} t.t = t recursive = t end', ''],
  ['recursive', '{ t = { ...itself... } }\n'],
  ['setmetatable({}, { __tostring = function() return "mine" end })', 'mine\n'],
  ['setmetatable({}, { __tostring = function() error("bad") end })', 'script_failed: stdin:1: bad'],
  ['pe = PktEngine.new("e0")', ''],
  ['PktEngine.new("e1")', ''],
];

test('the shell prints what expressions are worth', () => {
  const session = new LuaSession();
  for (const [line, expected] of typed) assert.equal(session.type(line), expected, line);
  assert.match(session.type('PktEngine.help()'), /^Packet Engine Commands/);
  assert.equal(session.type('pe:delete()'), '', 'the handle for chaining is not printed');
});

test('wide tables are spelled out over lines, deep ones are cut', () => {
  const session = new LuaSession();
  const wide = session.type(`{ "${'a'.repeat(50)}", "${'b'.repeat(50)}" }`);
  assert.equal(wide, `{\n  "${'a'.repeat(50)}",\n  "${'b'.repeat(50)}",\n}\n`);
  assert.match(session.type('{{{{{{{{1}}}}}}}}'), /\{\.\.\.\}/);
});

test('the state lives on; a script’s syntax error runs nothing', () => {
  const session = new LuaSession();
  session.run('kept = 1');
  assert.match(session.fault('kept = 2\nif then'), /^syntax_error: test:2: /);
  assert.equal(session.type('kept'), '1\n');
});

test('runFile: files that are there, and the codes of those that are not', () => {
  const session = new LuaSession();
  const folder = mkdtempSync(join(tmpdir(), 'bricks-'));
  try {
    const path = join(folder, 'script.lua');
    writeFileSync(path, '#!/usr/bin/bricks -f\nprint("from a file")\nerror("line 3")\n');
    const outcome = session.machine.runFile(path);
    assert.equal(session.stdout, 'from a file\n');
    assert.ok(!outcome.ok);
    assert.equal(outcome.error.code, 'script_failed');
    assert.match(outcome.error.message, /script\.lua:3: line 3/);
    const missing = session.machine.runFile(join(folder, 'none.lua'));
    assert.ok(!missing.ok);
    assert.equal(missing.error.code, 'no_such_file');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('os.exit ends the script at once, even in pcall and in a coroutine', () => {
  for (const [status, expected] of [
    ['-1', 255],
    ['', 0],
    ['true', 0],
    ['false', 1],
    ['3', 3],
  ] as const) {
    const session = new LuaSession();
    session.run(`
      local run = coroutine.wrap(function() pcall(function() os.exit(${status}) end) end)
      pcall(run)
      for i = 1, 3 do pcall(print, "never") end
    `);
    assert.deepEqual(session.exits, [expected]);
    assert.equal(session.stdout, '');
  }
});

test('BRICKS.shutdown says goodbye and ends the program', () => {
  const session = new LuaSession();
  assert.equal(session.run('BRICKS.shutdown() print("never")'), 'Goodbye!\n');
  assert.deepEqual(session.exits, [0]);
});

test('an interrupt ends what runs: loops, pcall loops, waits and sleeps, and only that', () => {
  const session = new LuaSession();
  session.run(`
    pe = PktEngine.new("e0")
    pe:link(Brick.new("Dummy"):connect_input("x"):connect_output("x{0"))
    pe:start()
  `);
  const endless = [
    'while true do end',
    'while true do pcall(function() while true do end end) end',
    'local c = coroutine.wrap(function() while true do end end) c()',
    'pe:wait()',
    'BRICKS.sleep(1000)',
    'while true do pcall(BRICKS.sleep, 1000) end',
  ];
  for (const code of endless) {
    session.signals.current += 1;
    session.signals.interrupt(session.signals.current);
    assert.equal(session.fault(code), 'interrupted: interrupted', code);
  }
  session.signals.current += 1;
  assert.equal(session.run('print("next")'), 'next\n');
});

test('an interrupt meant for a request that is over does not hit the next', () => {
  const signals = new Signals(Signals.memory());
  signals.current = 8;
  signals.interrupt(7);
  assert.equal(signals.interrupted(), false);
  assert.equal(signals.sleep(1), true);
  signals.interrupt(8);
  assert.equal(signals.sleep(1e6), false);
});

test('completion: globals, fields, methods, kinds, engines, ports', () => {
  const session = new LuaSession();
  session.run(
    'pe = PktEngine.new("e0") lb = Brick.new("LoadBalancer") tab = { inner = { deep = 1 } }',
  );
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['BRICKS.sh', ['BRICKS.show_stats', 'BRICKS.shutdown']],
    ['x = pe:st', ['x = pe:start', 'x = pe:stats', 'x = pe:stop']],
    ['lb:disc', ['lb:disconnect_output']],
    ['tab.inner.', ['tab.inner.deep']],
    ['PktEng', ['PktEngine']],
    ['whi', ['while']],
    ['Brick.new("Lo', ['Brick.new("LoadBalancer']],
    ["Brick.help('Fi", ["Brick.help('Filter"]],
    ['PktEngine.retrieve("', ['PktEngine.retrieve("e0']],
    ['lb:connect_input("a", "gen', ['lb:connect_input("a", "gen:']],
    ['nosuch.thing.', []],
    ['f().', []],
  ];
  for (const [line, expected] of cases)
    assert.deepEqual(session.machine.complete(line), expected, line);
});

test('the reference page has every function and kind of argument', () => {
  const page = luaReferencePage();
  for (const heading of [
    '### PktEngine.new(name [, buffer_sz [, cpu [, options]]])',
    '### pe:link(brick [, batch [, qid]])',
    '### b:connect_output(names, ...)',
    '### BRICKS.shutdown()',
  ]) {
    assert.ok(page.includes(`${heading}\n`), heading);
  }
});
