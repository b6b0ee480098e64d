/**
 * Changes at random to a running engine, as Lua: outputs, children, filters, inputs, stop and
 * start. The engine is `pe`, the root of its graph `b0`, a Duplicator.
 */
import type { Random } from '../../src/traffic/random.ts';

interface Node {
  readonly name: string;
  readonly kind: string;
  /** Outputs that end in a port. */
  readonly leaves: string[];
  readonly parent: Node | undefined;
  /** Its parent's output that feeds it. */
  readonly feed: string;
}

const kinds = ['LoadBalancer', 'Duplicator', 'Filter', 'Dummy', 'Merge'] as const;
const expressions = ['', 'udp', 'tcp', 'ip6', 'port 443 or port 53', 'greater 100', 'less 40'];

export class RandomChanges {
  readonly #random: Random;
  readonly #leaf: (number: number) => string;
  readonly #input: (number: number) => string;
  readonly #root: Node = {
    name: 'b0',
    kind: 'Duplicator',
    leaves: [],
    parent: undefined,
    feed: '',
  };
  readonly #nodes: Node[] = [this.#root];
  readonly #roots: string[] = [];
  #count = 1; // b0 is the root
  /** How often each kind of change was made. */
  readonly made = new Map<string, number>();

  /** `leaf`, `input`: names of the n-th output and input port. */
  constructor(random: Random, leaf: (number: number) => string, input: (number: number) => string) {
    this.#random = random;
    this.#leaf = leaf;
    this.#input = input;
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#random.between(0, Math.max(0, list.length - 1))];
  }

  /** Lua for one change; names of what is to go are chosen among what is there. */
  next(): string {
    const changes: Record<string, () => string | undefined> = {
      'add output': () => this.#addOutput(),
      'remove output': () => this.#removeOutput(),
      'add child': () => this.#addChild(),
      'remove child': () => this.#removeChild(),
      'swap filter': () => this.#swapFilter(),
      'add input': () => this.#addInput(),
      'remove input': () => this.#removeInput(),
      'stop and start': () => 'pe:stop() pe:start()',
      'refused change': () => 'assert(not pcall(b0.connect_output, b0, "nosuch:port"))',
    };
    const names = Object.keys(changes);
    for (;;) {
      const name = names[this.#random.between(0, names.length - 1)] as string;
      const lua = changes[name]?.();
      if (lua === undefined) continue;
      this.made.set(name, (this.made.get(name) ?? 0) + 1);
      return lua;
    }
  }

  #many(): Node[] {
    return this.#nodes.filter(({ kind }) => kind === 'LoadBalancer' || kind === 'Duplicator');
  }

  #addOutput(): string | undefined {
    const node = this.#pick(this.#many());
    if (node === undefined || node.leaves.length > 8) return undefined;
    const leaf = this.#leaf(this.#count++);
    node.leaves.push(leaf);
    return `${node.name}:connect_output("${leaf}")`;
  }

  #removeOutput(): string | undefined {
    const node = this.#pick(this.#many().filter(({ leaves }) => leaves.length > 1));
    const leaf = node && this.#pick(node.leaves);
    if (node === undefined || leaf === undefined) return undefined;
    node.leaves.splice(node.leaves.lastIndexOf(leaf), 1);
    return `${node.name}:disconnect_output("${leaf}")`;
  }

  #addChild(): string | undefined {
    const parent = this.#pick(this.#many());
    if (parent === undefined || this.#nodes.length > 12) return undefined;
    const kind = this.#pick(kinds) as string;
    const number = this.#count++;
    const leaf = this.#leaf(this.#count++);
    const name = `b${number}`;
    this.#nodes.push({ name, kind, leaves: [leaf], parent, feed: `x{${number}` });
    return `${name} = Brick.new("${kind}") ${name}:connect_input("x}${number}")
      ${name}:connect_output("${leaf}")
      ${parent.name}:connect_output("x{${number}") ${parent.name}:link(${name})`;
  }

  #removeChild(): string | undefined {
    const childless = this.#nodes.filter(
      (node) => node !== this.#root && !this.#nodes.some(({ parent }) => parent === node),
    );
    const node = this.#pick(childless);
    if (node?.parent === undefined) return undefined;
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    // Without it, its feed would be a pipe that nobody reads.
    return `pe:unlink(${node.name}) ${node.parent.name}:disconnect_output("${node.feed}")`;
  }

  #swapFilter(): string | undefined {
    const node = this.#pick(this.#nodes.filter(({ kind }) => kind === 'Filter'));
    return node && `${node.name}:set{ expression = "${this.#pick(expressions)}" }`;
  }

  #addInput(): string | undefined {
    if (this.#roots.length > 2) return undefined;
    const number = this.#count++;
    const name = `r${number}`;
    this.#roots.push(name);
    return `${name} = Brick.new("Dummy") ${name}:connect_input("${this.#input(number)}")
      ${name}:connect_output("null:${name}") pe:link(${name})`;
  }

  #removeInput(): string | undefined {
    const name = this.#roots.shift();
    return name && `pe:unlink(${name})`;
  }
}
