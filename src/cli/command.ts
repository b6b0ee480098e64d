/** What a command is: one entry of the table from which usage, help and the reference page come. */
import { parseArgs } from 'node:util';
import { BricksError } from '../errors.ts';

/** What a shell can offer for a word; `pipe`: of the running daemon. */
export type Completes = 'file' | 'folder' | 'program' | 'interface' | 'pipe' | readonly string[];

export interface CommandOption {
  readonly type: 'boolean' | 'string';
  /** One letter. */
  readonly short?: string;
  /** Placeholder of its value, where it has one. */
  readonly value?: string;
  readonly summary: string;
  /** What its value is, for completion. */
  readonly completes?: Completes;
  /** May be given several times. */
  readonly multiple?: boolean;
}

export interface Arguments {
  flag(name: string): boolean;
  /** The last one given. */
  text(name: string): string | undefined;
  /** All that were given, in order. */
  texts(name: string): readonly string[];
  readonly words: readonly string[];
}

export interface Command {
  /** As typed after `bricks`; '' for bricks itself. */
  readonly name: string;
  /** What stands after the name in the usage line. */
  readonly usage: string;
  readonly summary: string;
  readonly details?: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** How many words it takes beside its options. */
  readonly words: readonly [minimum: number, maximum: number];
  /** What its first word is, for completion. */
  readonly completes?: Completes;
  /** Returns the exit code; throws a BricksError. */
  run(args: Arguments): Promise<number> | number;
}

export const helpOption = {
  help: { type: 'boolean', short: 'h', summary: 'print this and end' },
} as const satisfies Record<string, CommandOption>;

export const runDirOption = {
  'run-dir': {
    type: 'string',
    value: 'DIR',
    completes: 'folder',
    summary: 'the runtime folder; default $BRICKS_RUN_DIR, else /run/bricks for root',
  },
} as const satisfies Record<string, CommandOption>;

export const legacyPortOption = {
  'legacy-port': {
    type: 'string',
    value: 'PORT',
    summary: "answer packet-bricks' shell protocol on that loopback port (1111, of old)",
  },
} as const satisfies Record<string, CommandOption>;

/** What --legacy-port says. Throws `usage`. */
export function legacyPortOf(args: Arguments): number | undefined {
  const text = args.text('legacy-port');
  const port = Number(text);
  if (text !== undefined && !(/^[0-9]{1,5}$/.test(text) && port >= 1 && port <= 65_535)) {
    throw new BricksError('usage', `--legacy-port takes a port from 1 to 65,535, not '${text}'`);
  }
  return text === undefined ? undefined : port;
}

export const jsonOption = {
  json: { type: 'boolean', summary: 'print data as JSON' },
} as const satisfies Record<string, CommandOption>;

/** The full usage line of a command. */
export function usageLine(command: Command): string {
  return ['bricks', command.name, command.usage].filter((part) => part !== '').join(' ');
}

function refuse(command: Command, what: string): never {
  const help = ['bricks', command.name, '-h'].filter((part) => part !== '').join(' ');
  throw new BricksError('usage', `${what}\nusage: ${usageLine(command)}\nmore: ${help}`);
}

/** Node's words for a bad argument, without the advice about `--` that fits no command of ours. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(/\. (?:To specify|This|Did)/)[0]?.replace(/\.$/, '') ?? message;
}

/** Interprets the words after a command's name. Throws `usage`. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type, short, multiple = false }]) => [
      name,
      short === undefined ? { type, multiple } : { type, short, multiple },
    ]),
  );
  let values: Record<string, unknown>;
  let words: string[];
  try {
    const parsed = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
    values = parsed.values;
    words = parsed.positionals;
  } catch (error) {
    return refuse(command, reasonOf(error));
  }
  const [minimum, maximum] = command.words;
  const isHelp = values['help'] === true;
  if (!isHelp && words.length < minimum) {
    refuse(command, `${command.name} needs ${minimum} arguments, not ${words.length}`);
  }
  if (!isHelp && words.length > maximum) {
    const extra = words[maximum] ?? '';
    const hint = command.name === '' && extra.endsWith('.lua') ? `; a script goes after -f` : '';
    refuse(command, `unexpected argument '${extra}'${hint}`);
  }
  const textsOf = (name: string): string[] =>
    [values[name] ?? []].flat().filter((value) => typeof value === 'string');
  return {
    flag: (name) => values[name] === true,
    text: (name) => textsOf(name).at(-1),
    texts: textsOf,
    words,
  };
}

/** `run` of what the launcher starts by itself: a program in C++. `how`: what is to be typed. */
export function startedByLauncher(name: string, how: string): Command['run'] {
  return () => {
    const typed = `bin/bricks ${name} ${how}`;
    throw new BricksError('usage', `bricks ${name} is started by the launcher: type ${typed}`);
  };
}
