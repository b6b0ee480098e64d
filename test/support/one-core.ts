import { readFileSync } from 'node:fs';

/**
 * A command for what sends packets, on one core: each has a backlog of its own in the kernel, and
 * what is sent on two may overtake.
 */
export function onOneCore(command: string, args: readonly string[]): [string, string[]] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const [, core = '0'] = /^Cpus_allowed_list:\s+(\d+)/m.exec(status) ?? [];
  return ['taskset', ['-c', core, command, ...args]];
}
