/** `bricks explain`: where a flow goes, and why. */
import { isIP } from 'node:net';
import { locateRunDir } from '../daemon/run-dir.ts';
import type { Explanation } from '../engine/explanation.ts';
import { BricksError, exitCodes } from '../errors.ts';
import type { FlowQuestion } from '../protocol.ts';
import { DaemonClient } from '../shell/client.ts';
import { type Arguments, type Command, helpOption, jsonOption, runDirOption } from './command.ts';

const protocols = ['tcp', 'udp', 'icmp', 'sctp'];

function usageError(message: string): never {
  throw new BricksError('usage', `${message}; more: bricks explain -h`);
}

function wholeNumber(text: string, most: number, what: string): number {
  if (/^[0-9]{1,8}$/.test(text) && Number(text) <= most) return Number(text);
  return usageError(`${what} is a whole number from 0 to ${most}, not '${text}'`);
}

/** `10.0.0.1:443`, `[fe80::1]:443`; without a port where there is none: `10.0.0.1`, `fe80::1`. */
export function parseEndpoint(text: string): { address: string; port?: number } {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) !== 0) return { address: bare };
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):([^:]*)$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? '';
  if (isIP(address) === 0 || (bracketed !== undefined) !== (isIP(address) === 6)) {
    usageError(`'${text}' is no endpoint: write 10.0.0.1:443, or [2001:db8::1]:443`);
  }
  return { address, port: wholeNumber(port, 65_535, 'a port') };
}

export function parseQuestion(args: Arguments): FlowQuestion {
  const [protocol = '', from = '', to = ''] = args.words;
  if (!protocols.includes(protocol)) {
    usageError(`there is no '${protocol}' to explain; there are ${protocols.join(', ')}`);
  }
  const [source, target] = [parseEndpoint(from), parseEndpoint(to)];
  if (isIP(source.address) !== isIP(target.address)) {
    usageError(`${source.address} and ${target.address} are not of the same IP version`);
  }
  for (const { address, port } of [source, target]) {
    if (protocol === 'icmp' && port !== undefined) usageError('icmp has no ports');
    if (protocol !== 'icmp' && port === undefined) {
      usageError(`${protocol} needs a port with ${address}, like ${address}:443`);
    }
  }
  const [vlan, vni] = [args.text('vlan'), args.text('vni')];
  return {
    protocol,
    source: source.address,
    target: target.address,
    ...(source.port !== undefined && { sourcePort: source.port }),
    ...(target.port !== undefined && { targetPort: target.port }),
    ...(vlan !== undefined && { vlan: wholeNumber(vlan, 4094, '--vlan') }),
    ...(vni !== undefined && { vni: wholeNumber(vni, 16_777_215, '--vni') }),
  };
}

export function printExplanations(explanations: readonly Explanation[]): string {
  if (explanations.length === 0) {
    return 'no engine has an input; link a brick to one: pe:link(brick)\n';
  }
  return explanations.map((explanation) => printOne(explanation)).join('\n');
}

function printOne({ engine, inputs, steps, outputs }: Explanation): string {
  const lines = [`engine ${engine}, from ${inputs.join(', ')}`];
  for (const { brick, kind, why, ways, ifGone } of steps) {
    const name = brick.startsWith(kind) ? brick : `${brick} (${kind})`;
    const to = ways.map((way) =>
      way.brick === undefined ? way.link : `${way.link} (${way.brick})`,
    );
    lines.push(`  ${name} -> ${to.length === 0 ? 'dropped' : to.join(', ')}`);
    if (why !== '') lines.push(`    ${why}`);
    if (ifGone !== undefined) lines.push(`    ${ifGone}`);
  }
  lines.push(`  outputs: ${outputs.length === 0 ? 'none' : outputs.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

async function run(args: Arguments): Promise<number> {
  const question = parseQuestion(args);
  const { controlSocket } = locateRunDir(args.text('run-dir'));
  const client = await DaemonClient.connect({ path: controlSocket });
  const explanations = (await client.explain(question)) as Explanation[];
  await client.close();
  process.stdout.write(
    args.flag('json') ? `${JSON.stringify(explanations)}\n` : printExplanations(explanations),
  );
  return exitCodes.ok;
}

export const explainCommand: Command = {
  name: 'explain',
  usage: 'tcp|udp|icmp|sctp A[:PORT] B[:PORT] [--vlan N] [--vni N] [--json] [--run-dir DIR]',
  summary: 'which outputs a flow goes to, why, and what changes when its output leaves',
  details:
    'Asks the running graph with a packet made for the question; nothing is sent or counted.\n' +
    'IPv6 goes in brackets: [2001:db8::1]:443. icmp has no ports.',
  options: {
    vlan: { type: 'string', value: 'N', summary: 'with that VLAN tag' },
    vni: { type: 'string', value: 'N', summary: 'inside a VXLAN tunnel of that number' },
    ...jsonOption,
    ...runDirOption,
    ...helpOption,
  },
  words: [3, 3],
  completes: protocols,
  run,
};
