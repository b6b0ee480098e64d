/** The command line of `bricks replay`, checked, and the Lua that builds what it asks for. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BricksError } from '../errors.ts';
import type { Arguments } from './command.ts';
import { parseGroups } from './lb-options.ts';

const secondsMax = 86_400 * 365;
const loopsMax = 1_000_000_000;
const speedMax = 1_000_000;

export interface ReplayOptions {
  readonly files: readonly string[];
  /** Of all files, once. */
  readonly fileBytes: number;
  /** Pipes of each group: "zeek{0", … */
  readonly groups: readonly (readonly string[])[];
  /** 'max', or a factor of the captures' own pace. */
  readonly speed: string;
  /** How often; 0: without end. */
  readonly loops: number;
  readonly forSeconds: number | undefined;
  /** How long to wait for consumers. */
  readonly timeoutSeconds: number | undefined;
  /** Commands, each started once for every pipe. */
  readonly commands: readonly string[];
  readonly jsonProgress: boolean;
}

function usageError(message: string): never {
  throw new BricksError('usage', `${message}; more: bricks replay -h`);
}

function secondsOf(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (/^[0-9.]+$/.test(text) && seconds > 0 && seconds <= secondsMax) return seconds;
  return usageError(`--${name} takes seconds above 0, not '${text}'`);
}

/** A folder stands for the files in it, as for `pcap:`. */
function sizeOf(path: string): number {
  if (!existsSync(path)) {
    throw new BricksError('no_such_file', `no such file: ${path}`);
  }
  const found = statSync(path);
  if (!found.isDirectory()) return found.size;
  return readdirSync(path)
    .map((name) => statSync(join(path, name), { throwIfNoEntry: false }))
    .reduce((sum, entry) => sum + (entry?.isFile() === true ? entry.size : 0), 0);
}

/** Throws `usage` and `no_such_file`. */
export function readReplayOptions(args: Arguments): ReplayOptions {
  const to = args.texts('to');
  if (to.length === 0) usageError('say who gets the packets: bricks replay FILE --to zeek:4');
  for (const group of to) {
    if (!/^.+:[0-9]+$/.test(group)) usageError(`--to takes GROUP:N, like zeek:4, not '${group}'`);
  }
  const files = args.words;
  const commas = files.find((file) => /[,?]/.test(file));
  if (commas !== undefined) {
    usageError(`${commas}: a file's name with a comma or question mark cannot be replayed`);
  }
  const speed = args.text('speed') ?? 'max';
  const factor = Number(speed);
  if (speed !== 'max' && !(/^[0-9.]+$/.test(speed) && factor > 0 && factor <= speedMax)) {
    usageError(`--speed takes max, or a factor like 1 or 0.5, not '${speed}'`);
  }
  const loops = args.text('loop') ?? '1';
  if (!/^[0-9]{1,10}$/.test(loops) || Number(loops) > loopsMax) {
    usageError(`--loop takes how often, or 0 for ever, not '${loops}'`);
  }
  const progress = args.text('progress') ?? 'text';
  if (progress !== 'text' && progress !== 'json') {
    usageError(`--progress takes json or text, not '${progress}'`);
  }
  return {
    files,
    fileBytes: files.reduce((sum, file) => sum + sizeOf(file), 0),
    groups: parseGroups(to, undefined),
    speed,
    loops: Number(loops),
    forSeconds: secondsOf(args, 'for'),
    timeoutSeconds: secondsOf(args, 'timeout'),
    commands: args.texts('run'),
    jsonProgress: progress === 'json',
  };
}

/** The name of the engine. */
export const replayEngine = 'replay';

/** A Lua string: bytes that could end it or a line are escaped. */
function quote(text: string): string {
  const byNumber = (character: string): string =>
    `\\${String(character.charCodeAt(0)).padStart(3, '0')}`;
  return `"${text.replaceAll(/["\\\p{Cc}]/gu, byNumber)}"`;
}

/** Lua that makes the engine: all packets to each group, balanced by flow inside. */
export function replayScript({ files, groups, speed, loops }: ReplayOptions): string {
  const parameters = [`speed=${speed}`, ...(loops === 1 ? [] : [`loop=${loops}`])].join('&');
  const input = quote(`pcap:${files.join(',')}?${parameters}`);
  const list = (names: readonly string[]): string => `unpack({${names.map(quote).join(', ')}})`;
  const lines = [
    `local engine = PktEngine.new(${quote(replayEngine)})`,
    'local root = Brick.new("Duplicator")',
    `root:connect_input(${input})`,
  ];
  groups.forEach((pipes, index) => {
    lines.push(
      `local b${index} = Brick.new("LoadBalancer")`,
      `root:connect_output("replay-group{${index}")`,
      `b${index}:connect_input("replay-group}${index}")`,
      `b${index}:connect_output(${list(pipes)})`,
      `root:link(b${index})`,
    );
  });
  lines.push('engine:link(root)');
  return lines.join('\n');
}
