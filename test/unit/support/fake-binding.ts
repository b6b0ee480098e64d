/** A NativeBinding in memory: it keeps what it is told and moves no packets. */
import { BricksError, type ErrorCode } from '../../../src/errors.ts';
import type {
  BrickTypeInfo,
  EngineOptions,
  EngineSnapshot,
  LedgerCell,
  NativeBinding,
  NativeGraph,
  OptionInfo,
  Options,
  PluginRow,
  RuleInfo,
} from '../../../src/native/binding.ts';
import { NoQueues } from './no-queues.ts';

export const emptyCell: LedgerCell = {
  packets: 0,
  bytes: 0,
  delivered: 0,
  deliveredBytes: 0,
  copies: 0,
  held: 0,
  dropped: {},
};

export interface FakeEngine {
  options: EngineOptions;
  graph: NativeGraph;
  running: boolean;
  drained: boolean;
  /** Counts by name of an input or output, or id of a brick. */
  cells: Map<string, LedgerCell>;
}

const tuple: OptionInfo = {
  name: 'tuple',
  type: 'integer',
  default: '4',
  minimum: 2,
  maximum: 4,
  summary: '2: addresses; 4: ports too',
};
const expression: OptionInfo = {
  name: 'expression',
  type: 'text',
  default: '',
  summary: 'packets that match pass',
};
const weights: OptionInfo = {
  name: 'weights',
  type: 'number_list',
  default: '',
  summary: 'a share for each output',
};

function kind(
  name: string,
  inputs: readonly [number, number],
  outputs: readonly [number, number],
  options: readonly OptionInfo[] = [],
): BrickTypeInfo {
  return { name, summary: `what a ${name} does`, details: '', inputs, outputs, options };
}

const kinds: readonly BrickTypeInfo[] = [
  kind('LoadBalancer', [1, 1024], [1, 4096], [tuple, weights]),
  kind('Duplicator', [1, 1024], [1, 4096]),
  kind('PcapWriter', [1, 1024], [1, 1]),
  kind('Merge', [1, 1024], [1, 1]),
  kind('Filter', [1, 1024], [1, 1], [expression]),
  kind('PcapReader', [1, 1024], [1, 4096]),
  kind('Dummy', [1, 1024], [1, 1]),
];

const pipe = /^(?:netmap:)?(.+)([{}])(\d+)$/;

function fail(code: ErrorCode, message: string): never {
  throw new BricksError(code, message);
}

export class FakeBinding extends NoQueues implements NativeBinding {
  explain(): never {
    throw new Error('no packets here');
  }
  openTap(): string {
    return 'tap0}0';
  }
  closeTap(): void {}
  openRecorder(): void {}
  closeRecorder(): void {}
  inspectInterface(): never {
    throw new Error('no interfaces here');
  }
  memoryLockLimit(): number {
    return 0;
  }

  readonly engines = new Map<string, FakeEngine>();
  /** What was called, in order: `apply e0`. */
  readonly calls: string[] = [];
  /** Port names that cannot be opened. */
  readonly missing = new Set<string>();
  /** What was sent: socket and text. */
  readonly datagrams: [path: string, text: string][] = [];
  /** How often waitDrained says false before it says true. */
  waits = 0;

  lendErrorClass(): void {}

  brickTypes(): BrickTypeInfo[] {
    return [...kinds];
  }

  portSchemes(): { scheme: string; example: string; options: OptionInfo[] }[] {
    return ['pcap', 'packet', 'gen', 'null', 'netmap', 'fifo', 'tap', 'xdp'].map((scheme) => ({
      scheme,
      example: `${scheme}:x`,
      options: [],
    }));
  }

  dropReasons(): { name: string; summary: string }[] {
    return [{ name: 'ring_full', summary: 'the pipe was full' }];
  }

  limits(): Record<string, number> {
    return {
      kNameMax: 255,
      kOutletsMax: 4096,
      kInletsMax: 1024,
      kBricksMax: 4096,
      kBatchMax: 256,
    };
  }

  statusCodes(): string[] {
    return [];
  }

  checkBrickOptions(name: string, options: Options): Options {
    const allowed = kinds.find((entry) => entry.name === name)?.options ?? [];
    const complete: Options = {};
    for (const option of allowed) {
      if (option.type === 'integer') complete[option.name] = Number(option.default);
      if (option.type === 'text') complete[option.name] = option.default;
    }
    for (const [key, value] of Object.entries(options)) {
      const option = allowed.find((entry) => entry.name === key);
      if (option === undefined) {
        return fail('invalid_argument', `${name}: there is no option "${key}"`);
      }
      if (option.type === 'integer' && value !== 2 && value !== 4) {
        return fail('invalid_argument', `${name}: option ${key} must be 2 or 4`);
      }
      complete[key] = value;
    }
    return complete;
  }

  checkPortName(name: string, direction: 'input' | 'output'): void {
    if (name.includes(' ')) fail('invalid_port_name', `the port name "${name}" has a blank`);
    if (direction === 'input' && name === 'null:') {
      fail('invalid_port_name', 'null: cannot be an input');
    }
  }

  flipPipeName(name: string): string {
    const match = pipe.exec(name);
    if (match === null) return name;
    return `${match[1]}${match[2] === '{' ? '}' : '{'}${match[3]}`;
  }

  isPipeName(name: string): boolean {
    return pipe.test(name);
  }

  openPorts(): void {}
  closePorts(): void {}

  #engine(name: string): FakeEngine {
    return this.engines.get(name) ?? fail('no_such_engine', `there is no engine "${name}"`);
  }

  createEngine(name: string, options: EngineOptions): void {
    this.calls.push(`create ${name}`);
    if (this.engines.has(name)) fail('already_exists', `engine "${name}" exists`);
    const graph = { inlets: [], bricks: [] };
    const cells = new Map<string, LedgerCell>();
    this.engines.set(name, { options, graph, running: false, drained: false, cells });
  }

  deleteEngine(name: string): void {
    this.calls.push(`delete ${name}`);
    this.#engine(name);
    this.engines.delete(name);
  }

  apply(name: string, graph: NativeGraph): void {
    this.calls.push(`apply ${name}`);
    const engine = this.#engine(name);
    for (const { port } of graph.inlets) {
      if (this.missing.has(port)) fail('no_such_file', `${port}: no such file`);
    }
    engine.graph = structuredClone(graph);
  }

  start(name: string): void {
    this.#engine(name).running = true;
  }

  stop(name: string): void {
    this.#engine(name).running = false;
  }

  waitDrained(name: string): boolean {
    const engine = this.#engine(name);
    if (engine.drained) return true;
    if (!engine.running || this.waits === 0) return false;
    this.waits -= 1;
    engine.drained = this.waits === 0;
    return engine.drained;
  }

  sendDatagram(path: string, text: string): void {
    this.datagrams.push([path, text]);
  }

  redirectOutput(): void {}

  ruleFields(): OptionInfo[] {
    return [];
  }

  openRules(): number {
    return 1;
  }

  closeRules(): void {}
  addRules(): number[] {
    return [];
  }

  replaceRules(): number[] {
    return [];
  }

  removeRule(): void {}
  changeRule(): void {}

  listRules = (): RuleInfo[] => [];

  pluginKeys = (): OptionInfo[] => [];
  pluginCounts = (): [] => [];
  openPlugins = (): number => 1;
  closePlugins(): void {}
  setPlugins(): void {}
  reloadPlugins(): void {}
  listPlugins = (): PluginRow[] => [];
  lookAtPlugin = () => JSON.parse('{}');
  pluginWarnings = (): string[] => [];

  snapshot(): EngineSnapshot[] {
    return [...this.engines].map(([name, engine]) => {
      const cellOf = (key: string): LedgerCell => engine.cells.get(key) ?? emptyCell;
      return {
        name,
        running: engine.running,
        linked: engine.graph.bricks.length > 0,
        drained: engine.drained,
        cpu: engine.options.cpu ?? -1,
        batch: engine.options.batch ?? 128,
        breaths: 0,
        inputs: engine.graph.inlets.map(({ port }) => ({
          name: port,
          description: 'fake',
          finished: engine.drained,
          lossless: false,
          cell: cellOf(port),
        })),
        bricks: engine.graph.bricks.map(({ id, kind }) => ({ id, kind, cell: cellOf(id) })),
        outputs: engine.graph.bricks.flatMap(({ id, outlets }) =>
          outlets
            .filter((outlet) => outlet.brick === undefined)
            .map((outlet) => ({
              name: outlet.name,
              brick: id,
              description: 'fake',
              consumerPid: 0,
              slots: 1024,
              cell: cellOf(outlet.name),
            })),
        ),
        retired: { inputs: emptyCell, bricks: emptyCell, outputs: emptyCell },
        warnings: [],
      };
    });
  }
}
