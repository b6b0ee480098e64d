/** The command line of netmap's lb, checked, and the Lua that builds what it asks for. */
import { BricksError } from '../errors.ts';
import type { Arguments } from './command.ts';

const pipesMax = 4096; // native/mem/limits.hh kOutletsMax
const batchMax = 256; // kBatchMax
const buffersMax = 4_194_304; // kSpillBuffersMax
const defaultPipes = 2;
const secondsMax = 86_400;

export interface LbInput {
  /** As an engine takes it. */
  readonly port: string;
  /** As lb shows it. */
  readonly shown: string;
  /** Hardware queue; -1: all. */
  readonly queue: number;
  /** The name of groups that have none of their own; undefined where it makes none. */
  readonly base: string | undefined;
}

export interface LbOptions {
  readonly inputs: readonly LbInput[];
  /** Pipes of each group: "zeek{0", … */
  readonly groups: readonly (readonly string[])[];
  readonly extraBuffers: number;
  readonly batch: number;
  readonly waitSeconds: number;
  readonly busy: boolean;
  readonly syslogSeconds: number;
  readonly stdoutSeconds: number;
}

function usageError(message: string): never {
  throw new BricksError('usage', `${message}; more: bricks lb -h`);
}

function numberOf(args: Arguments, name: string, flag: string, most: number, missing: number) {
  const text = args.text(name);
  if (text === undefined) {
    return missing;
  }
  if (!/^[0-9]{1,9}$/.test(text) || Number(text) > most) {
    usageError(`${flag} takes a whole number from 0 to ${most}, not '${text}'`);
  }
  return Number(text);
}

/** `-i eth0`, `netmap:eth0`, `netmap:eth0-3` (hardware queue 3), or any other port. */
export function parseInput(text: string): LbInput {
  if (/^vale/.test(text)) {
    usageError(`-i ${text}: there are no VALE switches here; name an interface`);
  }
  const netmap = /^netmap:(.+?)(?:-([0-9]{1,4})|\*|\/R)?$/.exec(text);
  if (netmap !== null) {
    const [, name = '', queue] = netmap;
    return { port: name, shown: text, queue: Number(queue ?? -1), base: name };
  }
  const isInterface = /^(packet:)?[^:{}/?]+$/.test(text);
  const base = text.replace(/^packet:/, '');
  return {
    port: text,
    shown: isInterface ? `netmap:${base}` : text,
    queue: -1,
    base: isInterface ? base : undefined,
  };
}

/** `-p [prefix:]number`; groups of one name go on counting where the one before ended. */
export function parseGroups(specs: readonly string[], base: string | undefined): string[][] {
  const next = new Map<string, number>();
  return (specs.length === 0 ? [''] : specs).map((spec) => {
    const colon = spec.lastIndexOf(':');
    if (colon === 0) {
      usageError(`-p ${spec}: the name before the colon is missing`);
    }
    const name = colon < 0 ? base : spec.slice(0, colon);
    if (name === undefined) {
      usageError(`-p ${spec}: name the group, like -p zeek:${spec || defaultPipes}`);
    }
    const count = spec.slice(colon + 1);
    const pipes = count === '' ? defaultPipes : Number(count);
    if (!/^[0-9]{0,5}$/.test(count) || pipes < 1 || pipes > pipesMax) {
      usageError(`-p ${spec}: a group has 1 to ${pipesMax} pipes, not '${count}'`);
    }
    const first = next.get(name) ?? 0;
    next.set(name, first + pipes);
    return Array.from({ length: pipes }, (_, index) => `${name}{${first + index}`);
  });
}

/** Throws `usage`. */
export function readLbOptions(args: Arguments): LbOptions {
  const inputs = args.texts('interface').map(parseInput);
  const [first] = inputs;
  if (first === undefined) {
    usageError('name the interface to read: bricks lb -i eth0 -p zeek:4');
  }
  if (inputs.some(({ queue }) => queue !== first.queue)) {
    usageError('all interfaces of one lb are read from the same hardware queue, or from all');
  }
  const batch = numberOf(args, 'batch', '-b', 1_000_000, 0);
  return {
    inputs,
    groups: parseGroups(args.texts('pipes'), first.base),
    extraBuffers: numberOf(args, 'extra-buffers', '-B', buffersMax, 0),
    batch: Math.min(batch, batchMax),
    waitSeconds: numberOf(args, 'wait-link', '-w', secondsMax, 2),
    busy: args.flag('busy-wait'),
    syslogSeconds: numberOf(args, 'syslog', '-s', secondsMax, 0),
    stdoutSeconds: numberOf(args, 'stdout', '-o', secondsMax, 0),
  };
}

/** A Lua string: bytes that could end it or a line are escaped. */
function quote(text: string): string {
  const byNumber = (character: string): string =>
    `\\${String(character.charCodeAt(0)).padStart(3, '0')}`;
  return `"${text.replaceAll(/["\\\p{Cc}]/gu, byNumber)}"`;
}

const list = (names: readonly string[]): string => `unpack({${names.map(quote).join(', ')}})`;

/** The name of the engine. */
export const lbEngine = 'lb';

/** Lua that makes the engine and links it; starting is another matter. */
export function lbScript(options: LbOptions): string {
  const { inputs, groups, extraBuffers, batch, busy } = options;
  const settings = [
    ...(extraBuffers > 0 ? [`spill = ${extraBuffers}`] : []),
    ...(busy ? ['busy = true'] : []),
    ...(batch > 0 ? [`batch = ${batch}`] : []),
  ];
  const ports = list(inputs.map(({ port }) => port));
  const lines = [
    `local engine = PktEngine.new(${quote(lbEngine)}, 0, -1, {${settings.join(', ')}})`,
    'local balancers = {}',
  ];
  groups.forEach((pipes, index) => {
    lines.push(
      `balancers[${index + 1}] = Brick.new("LoadBalancer")`,
      `balancers[${index + 1}]:connect_output(${list(pipes)})`,
    );
  });
  if (groups.length === 1) {
    lines.push('local root = balancers[1]', `root:connect_input(${ports})`);
  } else {
    // Each group gets all packets: a Duplicator above, fused to the balancers by these names.
    lines.push(
      'local root = Brick.new("Duplicator")',
      `root:connect_input(${ports})`,
      'for group, balancer in ipairs(balancers) do',
      '  root:connect_output("lb-group{" .. group)',
      '  balancer:connect_input("lb-group}" .. group)',
      '  root:link(balancer)',
      'end',
    );
  }
  lines.push(`engine:link(root, ${batch > 0 ? batch : -1}, ${inputs[0]?.queue ?? -1})`);
  return lines.join('\n');
}
