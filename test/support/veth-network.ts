/**
 * Interfaces named as scripts name them: veth pairs in a network namespace that ends with the test.
 * What is sent into `far-NAME` arrives at NAME.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { onOneCore } from './one-core.ts';

export interface Interface {
  readonly name: string;
  /** Receive queues; default 1. */
  readonly queues?: number;
}

let networks = 0;

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) {
    const reason = error === undefined ? stderr : error.message;
    throw new Error(`${command} ${args.join(' ')} failed: ${reason}`);
  }
  return stdout;
}

export class VethNetwork {
  readonly #namespace: string;

  constructor(interfaces: readonly Interface[]) {
    networks += 1;
    this.#namespace = `bricks-${process.pid}-${networks}`;
    run('ip', 'netns', 'add', this.#namespace);
    try {
      this.#makeInterfaces(interfaces);
    } catch (error) {
      this.end();
      throw error;
    }
  }

  #makeInterfaces(interfaces: readonly Interface[]): void {
    // Nobody but the test is to say a word here: no neighbour discovery, no router solicitations.
    for (const which of existsSync('/proc/sys/net/ipv6') ? ['all', 'default'] : []) {
      this.#inside('sh', '-c', `echo 1 > /proc/sys/net/ipv6/conf/${which}/disable_ipv6`);
    }
    for (const { name, queues = 1 } of interfaces) {
      const size = ['numtxqueues', String(queues), 'numrxqueues', String(queues)];
      const pair = [name, ...size, 'type', 'veth', 'peer', 'name', `far-${name}`, ...size];
      this.#inside('ip', 'link', 'add', ...pair);
      this.#inside('ip', 'link', 'set', name, 'up');
      this.#inside('ip', 'link', 'set', `far-${name}`, 'up');
    }
  }

  #inside(command: string, ...args: string[]): string {
    return run('ip', 'netns', 'exec', this.#namespace, command, ...args);
  }

  /** Program and arguments that run `command` in here; it takes the place of what starts it. */
  command(command: string, args: readonly string[]): [string, string[]] {
    return ['ip', ['netns', 'exec', this.#namespace, command, ...args]];
  }

  /** As `command`, for what sends packets. */
  sender(command: string, args: readonly string[]): [string, string[]] {
    return this.command(...onOneCore(command, args));
  }

  /** Sends a capture's packets to `name`, at a pace that is easy to hold; returns at its end. */
  send(name: string, capture: string, packetsPerSecond = 20_000): void {
    const words = ['-q', '-i', `far-${name}`, `--pps=${packetsPerSecond}`, capture];
    const [command, args] = this.sender('tcpreplay', words);
    run(command, ...args);
  }

  end(): void {
    run('ip', 'netns', 'del', this.#namespace);
  }
}

export function useNetwork(t: TestContext, interfaces: readonly Interface[]): VethNetwork {
  const network = new VethNetwork(interfaces);
  t.after(() => network.end());
  return network;
}

function whyNoNetwork(): string | false {
  if (process.getuid?.() !== 0) return 'making interfaces takes root';
  try {
    new VethNetwork([{ name: 'probe0' }]).end();
    return false;
  } catch (error) {
    return `no network namespaces here: ${error instanceof Error ? error.message.trim() : error}`;
  }
}

/** Why there is no such network here; false: there can be. */
export const noNetwork = whyNoNetwork();
