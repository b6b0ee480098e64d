/** `bricks filter`: the rules of a running Filter. */
import { locateRunDir } from '../daemon/run-dir.ts';
import { BricksError, exitCodes } from '../errors.ts';
import { DaemonClient } from '../shell/client.ts';
import { type Arguments, type Command, helpOption, jsonOption, runDirOption } from './command.ts';
import { formatTable } from './table.ts';

type Rule = Readonly<Record<string, string | number | boolean>>;

/** Text as a Lua literal that holds nothing but ASCII letters, digits and escapes. */
function literal(text: string): string {
  const bytes = [...Buffer.from(text)];
  const escaped = bytes.map((byte) => {
    const char = String.fromCharCode(byte);
    return /[A-Za-z0-9]/.test(char) ? char : `\\${String(byte).padStart(3, '0')}`;
  });
  return `"${escaped.join('')}"`;
}

/** `address=10.0.0.1` and so on, as a Lua table. */
function fieldsTable(words: readonly string[]): string {
  if (words.length === 0) {
    throw new BricksError(
      'usage',
      'a rule needs FIELD=VALUE words, like address=10.0.0.0/8 action=drop; ' +
        'docs/filter-rules.md has the fields',
    );
  }
  const fields = words.map((word) => {
    const at = word.indexOf('=');
    if (at > 0) return `[${literal(word.slice(0, at))}] = ${literal(word.slice(at + 1))}`;
    throw new BricksError('usage', `'${word}' is not FIELD=VALUE; for example action=drop`);
  });
  return `{ ${fields.join(', ')} }`;
}

function ruleId(word: string | undefined): string {
  if (word !== undefined && /^[0-9]{1,10}$/.test(word)) return word;
  throw new BricksError('usage', `a rule's id is a number, not '${word ?? ''}'; see filter list`);
}

// Rules come back as a line of Lua each, a list of hexadecimal names and values.
const listCode = `
  local hex = function(text)
    return (tostring(text):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  end
  for _, rule in ipairs(f:rules()) do
    local words = {}
    for name, value in pairs(rule) do
      words[#words + 1] = hex(name) .. ":" .. type(value):sub(1, 1) .. ":" .. hex(value)
    end
    io.write(table.concat(words, " "), "\\n")
  end
`;

function parseRules(text: string): Rule[] {
  const plain = (hex = ''): string => Buffer.from(hex, 'hex').toString();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ').map((word) => {
        const [name, type, value] = word.split(':');
        const shown = plain(value);
        if (type === 'n') return [plain(name), Number(shown)];
        return [plain(name), type === 'b' ? shown === 'true' : shown];
      });
      return Object.fromEntries(fields) as Rule;
    });
}

/** What has a column of its own, or none. */
const apart = new Set('id action priority hits bytes dropped timeout seconds_left'.split(' '));

function printRules(rules: readonly Rule[]): string {
  if (rules.length === 0) return 'no rules; add one with: bricks filter add BRICK FIELD=VALUE …\n';
  return formatTable(
    ['ID', 'PRIORITY', 'MATCH', 'ACTION', 'HITS', 'BYTES', 'DROPPED', 'SECONDS LEFT'],
    rules.map((rule) => [
      `${rule['id']}`,
      `${rule['priority']}`,
      Object.entries(rule)
        .filter(([name]) => !apart.has(name) && !isAction(name))
        .sort(([a], [b]) => Number(b === 'kind') - Number(a === 'kind') || a.localeCompare(b))
        .map(([name, value]) => (name === 'kind' ? `${value}` : `${name}=${value}`))
        .join(' '),
      Object.entries(rule)
        .filter(([name]) => name === 'action' || isAction(name))
        .map(([name, value]) => (name === 'action' ? `${value}` : `${name}=${value}`))
        .join(' '),
      Number(rule['hits']),
      Number(rule['bytes']),
      Number(rule['dropped']),
      rule['seconds_left'] === undefined ? '-' : Number(rule['seconds_left']).toFixed(1),
    ]),
  );
}

function isAction(name: string): boolean {
  return ['copy_to', 'sample', 'slice', 'packets_per_second', 'bits_per_second'].includes(name);
}

/** What to do with `f`, the Filter, in Lua. */
function codeOf(verb: string, words: readonly string[]): string {
  switch (verb) {
    case 'list':
      if (words.length === 0) return listCode;
      throw new BricksError('usage', `list takes a brick alone, not also '${words[0]}'`);
    case 'add':
      return `io.write(f:add_rule(${fieldsTable(words)}), "\\n")`;
    case 'change':
      return `f:change_rule(${ruleId(words[0])}, ${fieldsTable(words.slice(1))})`;
    case 'remove':
      if (words.length === 0) throw new BricksError('usage', 'remove needs the ids of rules');
      return words.map((word) => `f:remove_rule(${ruleId(word)})`).join('\n');
    default:
      throw new BricksError(
        'usage',
        `there is no 'bricks filter ${verb}'; there are list, add, change and remove`,
      );
  }
}

async function run(args: Arguments): Promise<number> {
  const [verb = '', brick = '', ...rest] = args.words;
  const code = `
    local f = Brick.find(${literal(brick)})
    if f == nil then
      error("no engine has a brick " .. ${literal(brick)} .. "; bricks status shows them", 0)
    end
    ${codeOf(verb, rest)}`;
  const { controlSocket } = locateRunDir(args.text('run-dir'));
  const client = await DaemonClient.connect({ path: controlSocket });
  let output = '';
  const result = await client.execute(code, 'filter', false, (stream, text) => {
    if (stream === 'stdout') output += text;
    else process.stderr.write(text);
  });
  await client.close();
  if (!result.ok) throw new BricksError(result.error.code, result.error.message);
  const json = args.flag('json');
  if (verb === 'list') {
    const rules = parseRules(output);
    process.stdout.write(json ? `${JSON.stringify(rules)}\n` : printRules(rules));
  } else if (verb === 'add') {
    const id = Number(output);
    process.stdout.write(json ? `${JSON.stringify({ id })}\n` : `${id}\n`);
  }
  return exitCodes.ok;
}

export const filterCommand: Command = {
  name: 'filter',
  usage: 'list|add|change|remove BRICK [ID…] [FIELD=VALUE…] [--json] [--run-dir DIR]',
  summary: 'the rules of a running Filter, with their counts',
  details:
    'list BRICK; add BRICK FIELD=VALUE… prints the new id; change BRICK ID FIELD=VALUE…;\n' +
    'remove BRICK ID…. BRICK is an id that bricks status shows, like Filter-1. Fields are those\n' +
    'of b:add_rule, for example address=10.0.0.0/8 action=drop timeout=60.',
  options: { ...jsonOption, ...runDirOption, ...helpOption },
  words: [2, 1000],
  completes: ['list', 'add', 'change', 'remove'],
  run,
};
