import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LuaSession } from '../support/lua-session.ts';

const session = new LuaSession();

/** Lua expression to what print() makes of it. */
const expressions: readonly (readonly [string, string])[] = [
  [
    '10 / 2, 7 // 2, 2 ^ 31, 2147483647 + 1, 1024 * 1024 * 4096',
    '5 3 2147483648 2147483648 4294967296',
  ],
  ['-0x10, 0xffffffff, 1.5, "10" + 5, 10 .. 20, 1 << 4', '-16 4294967295 1.5 15 1020 16'],
  ['os.time() * 1000 > 2 ^ 40, math.floor(3.7), #"abc" * 2', 'true 3 6'],
  ['tonumber("0x10"), tonumber(" 12 "), tonumber("z", 36), tonumber("x")', '16 12 35 nil'],
  ['("%d|%5d|%-5d|%05d|%+d"):format(3.7, 42, 42, -42, 7)', '3|   42|42   |-0042|+7'],
  [
    '("%x %X %#x %o %u %s %%"):format(255, 255, 255, 8, 2 ^ 40, "x")',
    'ff FF 0xff 10 1099511627776 x %',
  ],
  ['("%10u \\t%11u"):format(1, 12345678901)', '         1  12345678901'],
  ['pcall(string.format, "%d", "x")', "false bad argument #2 to 'format' (number expected)"],
  ['loadstring("return 1 + 1")(), unpack({ 1, 2 })', '2 1 2'],
  ['table.getn({ 1, 2 }), table.maxn({ [5] = 1 }), math.pow(2, 10), math.mod(7, 4)', '2 5 1024 3'],
  ['string.gfind("a b", "%a")()', 'a'],
  ['os.execute("exit 3"), os.execute("true"), os.execute()', '3 0 1'],
  ['os.date("!%Y-%m-%d %H:%M:%S", 0)', '1970-01-01 00:00:00'],
  ['os.clock() > 0, os.getenv("NO_SUCH_VARIABLE_HERE")', 'true nil'],
  ['io.popen("echo hi"):read("*all")', 'hi\n'],
  ['io.popen("exit 3"):close()', 'true exit 3'],
  ['io.open("no/such/file")', 'nil no/such/file: No such file or directory 2'],
  ['io.type(io.stdout), io.type(42), io.stdin:close()', 'file nil nil cannot close standard file'],
  [
    'pcall(io.open, "x", "q")',
    "false bad argument #2 to 'open' (invalid mode 'q'; r, w, a, r+, w+, a+, with b or not)",
  ],
  ['_VERSION, fengari', 'Lua 5.3 nil'],
  ['getfenv(1) == _G, getfenv() == _G, getfenv(0) == _G', 'true true true'],
];

for (const [expression, expected] of expressions) {
  test(`print(${expression})`, () => {
    // A blank in the table stands for the tab that print() puts between values.
    assert.equal(session.run(`print(${expression})`).replaceAll('\t', ' '), `${expected}\n`);
  });
}

test('setfenv gives functions and chunks another environment', () => {
  const code = `
    local function f() return answer end
    setfenv(f, { answer = 42 })
    setfenv(1, setmetatable({ own = 7 }, { __index = _G }))
    print(f(), getfenv(f).answer, own)
  `;
  assert.equal(session.run(code), '42\t42\t7\n');
  assert.equal(session.run('print(own)'), 'nil\n');
});

test('module() makes a table that require finds', () => {
  session.run('module("a.b", package.seeall) function twice(x) return 2 * x end print(_NAME)');
  assert.equal(session.run('print(a.b.twice(4), require("a.b") == a.b)'), '8\ttrue\n');
});

test('files: reading by line, number, count and whole; seeking; appending', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bricks-'));
  const path = JSON.stringify(join(folder, 'file'));
  try {
    const code = `
      local f = assert(io.open(${path}, "w"))
      assert(f:write("12 0x1f ", 3.5, " rest\\n", "two\\n"):write("three"))
      assert(f:close())
      f = io.open(${path}, "a") f:write("\\nfour\\n") f:close()
      f = io.open(${path})
      print(f:read("*n", "n", "*n"), f:read("*l"))
      print(f:read(2), f:read("*L"), f:read("*all"), f:read("*a"), f:read("*l"))
      print(f:seek("set", 3), f:read(4), f:seek("cur"), f:seek("end", -5), f:read("l"))
      f:close()
      print(pcall(f.read, f), io.type(f), tostring(f))
      f = io.open(${path}, "r+") f:read("*l") f:write("TWO") f:close()
      for line in io.lines(${path}) do io.write("<", line, ">") end
      print(os.rename(${path}, ${path} .. "2"), os.remove(${path} .. "2"), os.remove(${path}))
    `;
    assert.equal(
      session.run(code),
      [
        '12\t rest',
        'tw\to\n\tthree\nfour\n\t\tnil',
        '3\t0x1f\t7\t27\tfour',
        'false\tclosed file\tfile (closed)',
        '<12 0x1f 3.5 rest><TWO><three><four>true\ttrue\tnil\t' +
          `${join(folder, 'file')}: No such file or directory\t2`,
        '',
      ].join('\n'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('io.popen(..., "w") runs when closed; io.output and io.input change the defaults', () => {
  const code = `
    local h = io.popen("tr a-z A-Z", "w") h:write("loud\\n") print("before") h:close()
    local name = os.tmpname()
    local old = io.output()
    io.output(name) io.write("kept\\n") io.close() io.output(old)
    io.input(name) print(io.read()) io.close(io.input()) io.input(io.stdin)
    os.remove(name)
  `;
  assert.equal(session.run(code), 'before\nLOUD\nkept\n');
});

test('stdout and stderr keep their order', () => {
  session.stderr = '';
  session.run('io.write("a") io.stderr:write("b") print("c", nil, 1)');
  assert.equal(session.stdout, 'ac\tnil\t1\n');
  assert.equal(session.stderr, 'b');
});

test('dofile, loadfile, require; a first line of #! is skipped', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bricks-'));
  try {
    writeFileSync(
      join(folder, 'part.lua'),
      '#!/usr/bin/bricks -f\nshared = (shared or 0) + 1 return "part"',
    );
    const path = JSON.stringify(join(folder, 'part.lua'));
    assert.equal(
      session.run(`print(dofile(${path}), loadfile(${path})(), shared)`),
      'part\tpart\t2\n',
    );
    session.run(`package.path = ${JSON.stringify(join(folder, '?.lua'))} .. ";" .. package.path`);
    assert.equal(session.run('print(require("part"), require("part"), shared)'), 'part\tpart\t3\n');
    assert.match(session.fault('dofile("no/such.lua")'), /cannot open no\/such\.lua: No such file/);
    assert.equal(
      session.run('print(loadfile("no/such.lua"))'),
      'nil\tcannot open no/such.lua: No such file or directory\n',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
