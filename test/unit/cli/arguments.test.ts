import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bricksCommand } from '../../../src/cli/bricks.ts';
import { parseArguments } from '../../../src/cli/command.ts';
import { commandOf, commandReferencePage, commands } from '../../../src/cli/commands.ts';
import { commandHelp, overview } from '../../../src/cli/help.ts';
import { addressOf } from '../../../src/cli/remote-shell.ts';

test('flags as packet-bricks has them, short and long, together and apart', () => {
  const args = parseArguments(bricksCommand, ['-df', 'a.lua', '-b', '64']);
  assert.deepEqual(
    [args.flag('daemon'), args.text('file'), args.text('batch'), args.flag('shell')],
    [true, 'a.lua', '64', false],
  );
  const long = parseArguments(bricksCommand, ['--shell', '--command=1+1']);
  assert.deepEqual([long.flag('shell'), long.text('command')], [true, '1+1']);
});

for (const [argv, expected] of [
  [['-z'], /Unknown option '-z'/],
  [['--colour'], /Unknown option '--colour'/],
  [['-f'], /-f, --file.*argument missing/],
  [['a.lua'], /unexpected argument 'a.lua'; a script goes after -f/],
] as const) {
  test(`bricks ${argv.join(' ')} is refused with the usage line`, () => {
    assert.throws(() => parseArguments(bricksCommand, argv), { code: 'usage', message: expected });
    assert.throws(() => parseArguments(bricksCommand, argv), {
      message: /\nusage: bricks \[-d\|-s\]/,
    });
  });
}

test('flags that mean nothing together are refused before anything happens', () => {
  for (const argv of [
    ['-d', '-s'],
    ['-c', 'x'],
    ['-d', '-a', 'x'],
    ['-p', '5'],
    ['-b', '0'],
    ['-b', 'many'],
  ]) {
    assert.throws(() => bricksCommand.run(parseArguments(bricksCommand, argv)), { code: 'usage' });
  }
});

test('words beyond what a command takes are refused', () => {
  const command = commandOf('load-balance');
  assert.throws(() => parseArguments(command, ['eth3']), { message: /needs 2 arguments, not 1/ });
  assert.throws(() => parseArguments(command, ['eth3', '4', '5']), { message: /argument '5'/ });
  assert.ok(parseArguments(command, ['-h']).flag('help'));
  for (const pipes of ['0', '-1', 'four', '1025', '1e3']) {
    const args = parseArguments(command, ['--', 'eth3', pipes]);
    assert.throws(() => command.run(args), { code: 'usage', message: /from 1 to 1024/ });
  }
});

test('an unknown command names those that are', () => {
  assert.throws(() => commandOf('legder'), { code: 'usage', message: /'legder'.*ledger/ });
  assert.throws(() => commandOf('toString'), { code: 'usage' });
});

test('help and the reference page come from the table: every command and option is there', () => {
  const [help, page] = [overview(bricksCommand, commands), commandReferencePage()];
  for (const command of [bricksCommand, ...commands]) {
    assert.ok(help.includes(command.summary), command.name);
    assert.ok(page.includes(command.summary), command.name);
    const own = commandHelp(command);
    for (const [name, option] of Object.entries(command.options)) {
      for (const text of [own, page]) {
        assert.ok(text.includes(`--${name}`) && text.includes(option.summary), name);
      }
    }
    const columns = Math.max(...own.split('\n').map((line) => line.length));
    assert.ok(columns <= 110, `${command.name}: help of ${columns} columns`);
  }
});

test('where a shell connects to', () => {
  const at = (place?: string, port?: string) => addressOf('/run/c.sock', place, port);
  assert.deepEqual(at(), { path: '/run/c.sock' });
  assert.deepEqual(at('./x/control.sock'), { path: './x/control.sock' });
  assert.deepEqual(at('10.0.0.1:99'), { host: '10.0.0.1', port: 99 });
  assert.deepEqual(at('10.0.0.1'), { host: '10.0.0.1', port: 1111 });
  assert.deepEqual(at('10.0.0.1:99', '98'), { host: '10.0.0.1', port: 98 });
  assert.deepEqual(at(undefined, '98'), { host: '127.0.0.1', port: 98 });
  for (const [place, port] of [['x:0'], ['x:65536'], [':5'], ['x', 'y'], ['x', '1.5']]) {
    assert.throws(() => at(place, port), { code: 'usage' });
  }
});
