/** What pages say to type exists: commands, options, calls of the API; Lua blocks are Lua. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands } from '../src/cli/commands.ts';
import { brickClass } from '../src/lua/api-brick.ts';
import { bricksClass } from '../src/lua/api-bricks.ts';
import { engineClass } from '../src/lua/api-engine.ts';
import { lauxlib, lua, textOf, to_luastring } from '../src/lua/interpreter.ts';
import { readSource, sourceFiles } from './support/source-tree.ts';

const pages = ['README.md', ...sourceFiles('docs').filter((path) => path.endsWith('.md'))];

/** Blocks of a language on a page. */
const blocks = (page: string, language: string): string[] =>
  [...readSource(page).matchAll(/^```(\w+)\n(.*?)^```/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text);

/** `bricks NAME …` in blocks for a shell and in code within sentences, up to a pipe or comment. */
function typed(page: string): string[][] {
  const inline = [...readSource(page).matchAll(/`((?:bin\/)?bricks [^`\n]*)`/g)];
  const lines = blocks(page, 'sh').flatMap((block) => block.split('\n'));
  return [...inline.map(([, text = '']) => text), ...lines].flatMap((line) =>
    [...line.matchAll(/(?:^|[|;&(] *)(?:sudo )?(?:bin\/)?bricks ([a-z][^|;&#>]*)/g)].map(
      ([, words = '']) => words.replace(/ -- .*$/, '').match(/'[^']*'|"[^"]*"|\S+/g) ?? [],
    ),
  );
}

/** What is wrong with those words. */
function faultOf([name = '', ...words]: readonly string[]): string | undefined {
  const command = commands.find((one) => one.name === name);
  if (command === undefined) return `no command ${name}`;
  const shorts = Object.values(command.options).map(({ short }) => short);
  for (const word of words) {
    const [, long, short] = /^--([a-z][\w-]*)|^-([a-zA-Z])\b/.exec(word) ?? [];
    if (long !== undefined && !(long in command.options)) return `${name} has no --${long}`;
    if (short !== undefined && !shorts.includes(short)) return `${name} has no -${short}`;
  }
  return undefined;
}

test('commands and options on pages are those there are', () => {
  let seen = 0;
  const wrong = pages.flatMap((page) =>
    typed(page).flatMap((words) => {
      seen += 1;
      const fault = faultOf(words);
      return fault === undefined ? [] : [`${page}: bricks ${words.join(' ')}: ${fault}`];
    }),
  );
  assert.deepEqual(wrong, []);
  assert.ok(seen > 100, `${seen} commands`);
});

/** What Lua has against that code; it is not run. */
function faultIn(page: string, code: string): string | undefined {
  const state = lauxlib.luaL_newstate();
  const loaded = lauxlib.luaL_loadbuffer(state, to_luastring(code), null, to_luastring(page));
  return loaded === lua.LUA_OK
    ? undefined
    : textOf(lua.lua_tolstring(state, -1) ?? new Uint8Array());
}

test('Lua on pages is Lua, and calls what there is', () => {
  const statics = new Set(bricksClass.statics.map(({ name }) => name));
  const methods = new Set(
    [...brickClass.methods, ...engineClass.methods].map(({ name }) => String(name)),
  );
  const wrong: string[] = [];
  let seen = 0;
  for (const page of pages.filter((path) => !path.includes('plugins-lua'))) {
    for (const text of blocks(page, 'lua')) {
      seen += 1;
      // The shell takes expressions, too.
      const faults = [text, `return ${text}`].map((code) => faultIn(page, code));
      if (faults.every((fault) => fault !== undefined)) wrong.push(`${page}: ${faults[0]}`);
      for (const [, name = ''] of text.matchAll(/\bBRICKS\.(\w+)/g))
        if (!statics.has(name)) wrong.push(`${page}: no BRICKS.${name}`);
      for (const [, name = ''] of text.matchAll(/\b(?:pe|lb|s|dup|b|q|f|w|web|e)\d?:(\w+)/g))
        if (!methods.has(name)) wrong.push(`${page}: no method ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 25, `${seen} blocks`);
});
