/** Which ports a brick's names mean. Capture bricks take plain file names, as packet-bricks did. */
import type { Brick } from './brick.ts';
import type { GraphRules } from './rules.ts';

/** `pcap` for `pcap:a.pcap`; undefined for interfaces, pipes and files. */
function schemeOf(name: string, rules: GraphRules): string | undefined {
  const colon = name.indexOf(':');
  const scheme = colon < 0 ? '' : name.slice(0, colon);
  return rules.schemes.has(scheme) ? scheme : undefined;
}

function isPlain(name: string, rules: GraphRules): boolean {
  return schemeOf(name, rules) === undefined && !rules.isPipe(name);
}

function looksLikeFile(name: string): boolean {
  return name.includes('/') || /\.?(pcap|pcapng|cap)$/.test(name);
}

/**
 * A PcapReader's plain names become `pcap:NAME`. packet-bricks wanted an interface beside the
 * folder, for its memory: the first plain name is always a file, a later one that does not look
 * like a file is that interface, and is not opened.
 */
export function inputNames(brick: Brick, rules: GraphRules): string[] {
  if (brick.kind !== 'PcapReader') return brick.inputs;
  let seen = 0;
  return brick.inputs.flatMap((name) => {
    if (!isPlain(name, rules)) return [name];
    seen += 1;
    return seen === 1 || looksLikeFile(name) ? [`pcap:${name}`] : [];
  });
}

/** A PcapWriter's plain names become `pcap:NAME`. */
export function outputNames(brick: Brick, rules: GraphRules): string[] {
  if (brick.kind !== 'PcapWriter') return brick.outputs;
  return brick.outputs.map((name) => (isPlain(name, rules) ? `pcap:${name}` : name));
}

/** A name without what comes after `?`; a file's may have one of its own and stays as it is. */
export function bareName(name: string): string {
  return /^(pcap|fifo):/.test(name) ? name : name.replace(/\?.*$/s, '');
}

/**
 * The name under which spellings of one port meet: `netmap:` before a pipe means nothing, and
 * what comes after `?` is said of it, not part of it.
 */
export function portKey(name: string, rules: GraphRules): string {
  return rules.isPipe(name) ? bareName(name).replace(/^netmap:/, '') : name;
}

/** True for what can be read and written at once: an interface. Files and pipe ends cannot. */
export function isDevice(name: string, rules: GraphRules): boolean {
  if (rules.isPipe(name)) return false;
  const scheme = schemeOf(name, rules);
  return scheme === undefined || ['netmap', 'xdp', 'packet', 'tap'].includes(scheme);
}
