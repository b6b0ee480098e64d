/** Draining: an output gets no new flows and keeps those it has until they have ended. */
import { BricksError } from '../errors.ts';
import { type Brick, rootOf } from '../flow/brick.ts';
import { bareName } from '../flow/names.ts';
import { kindOf } from '../flow/rules.ts';
import { type ApiContext, type Arguments, chained, type HandleMethod } from './api.ts';
import { checkedOptions } from './brick-options.ts';
import type { Result } from './values.ts';

const names = { name: 'names', type: 'text', rest: true } as const;

/** What drains now. */
export function drainedOutputs(brick: Brick): string[] {
  const { drain } = brick.options;
  return Array.isArray(drain) ? drain.map(String) : [];
}

/** The options with another list of outputs that drain. */
function withDrained(brick: Brick, drain: string[]): Brick['options'] {
  const { drain: _before, ...others } = brick.options;
  return drain.length === 0 ? others : { ...others, drain };
}

/** When an output goes, so does what was said of it. Called while the brick's record changes. */
export function forgetDrained(brick: Brick, output: string): void {
  const drained = drainedOutputs(brick);
  const left = drained.filter((name) => name !== bareName(output));
  if (left.length !== drained.length) brick.options = withDrained(brick, left);
}

function asked(context: ApiContext, where: string, brick: Brick, args: Arguments): string[] {
  const options = kindOf(context.rules, brick.kind).options;
  if (!options.some(({ name }) => name === 'drain')) {
    const able = [...context.rules.kinds.values()].filter(({ options: own }) =>
      own.some(({ name }) => name === 'drain'),
    );
    throw new BricksError(
      'invalid_argument',
      `${where}: a ${brick.kind} gives no flows to outputs, so none can be drained; ` +
        `what can: ${able.map(({ name }) => name).join(', ')}`,
    );
  }
  const outputs = brick.outputs.map(bareName);
  return args.texts('names').map((name) => {
    if (outputs.includes(bareName(name))) return bareName(name);
    throw new BricksError(
      'invalid_argument',
      `${where}: argument (names) must be outputs of ${brick.id}, got "${name}"; ` +
        `outputs: ${outputs.join(', ') || 'none'}`,
    );
  });
}

function change(context: ApiContext, brick: Brick, drained: string[]): typeof chained {
  const options = checkedOptions(context, brick.kind, withDrained(brick, drained));
  context.registry.change(brick, () => {
    brick.options = options;
  });
  return chained;
}

function drain(context: ApiContext, brick: Brick, args: Arguments): typeof chained {
  const wanted = asked(context, 'b:drain', brick, args);
  return change(context, brick, [...new Set([...drainedOutputs(brick), ...wanted])]);
}

function undrain(context: ApiContext, brick: Brick, args: Arguments): typeof chained {
  const wanted = asked(context, 'b:undrain', brick, args);
  return change(
    context,
    brick,
    drainedOutputs(brick).filter((name) => !wanted.includes(name)),
  );
}

/** Sessions left and since when, by output. */
function draining(context: ApiContext, brick: Brick): Result {
  const { engine } = rootOf(brick);
  const rows = engine === undefined ? [] : (context.registry.snapshot(engine).draining ?? []);
  return Object.fromEntries(
    rows
      .filter((row) => row.brick === brick.id)
      .map(({ output, sessions, since }) => [output, { sessions, since }]),
  );
}

const lookSeconds = 0.1;

/** True: no live flow is left at what drains. */
function waitDrained(context: ApiContext, brick: Brick, args: Arguments): boolean {
  const { engine } = rootOf(brick);
  if (engine === undefined) {
    throw new BricksError(
      'not_linked',
      `b:wait_drained: ${brick.id} is not linked to an engine: no flow is at its outputs`,
    );
  }
  const seconds = args.optionalNumber('seconds') ?? Number.POSITIVE_INFINITY;
  const end = performance.now() + seconds * 1e3;
  for (;;) {
    const { running, draining: rows = [] } = context.registry.snapshot(engine);
    const busy = rows.filter((row) => row.brick === brick.id && row.sessions !== 0);
    if (busy.length === 0) return true;
    if (!running) {
      throw new BricksError(
        'not_running',
        `b:wait_drained: engine "${engine}" is not running, flows would never end; ` +
          'start it first: pe:start()',
      );
    }
    const left = (end - performance.now()) / 1e3;
    if (left <= 0) return false;
    context.sleep(Math.min(lookSeconds, left));
  }
}

export const drainMethods: readonly HandleMethod<Brick>[] = [
  {
    name: 'drain',
    arguments: [{ ...names, summary: 'outputs of a LoadBalancer' }],
    returns: 'the brick',
    summary:
      'These get no new flows and keep those they have; when none are left (b:draining()), ' +
      'b:disconnect_output cuts off nobody. b:wait_drained() waits for that.',
    example: 'lb:drain("eth3{1")',
    call: drain,
  },
  {
    name: 'undrain',
    arguments: [{ ...names, summary: 'outputs that drain' }],
    returns: 'the brick',
    summary: 'These get new flows again.',
    example: 'lb:undrain("eth3{1")',
    call: undrain,
  },
  {
    name: 'wait_drained',
    arguments: [
      {
        name: 'seconds',
        type: 'number',
        optional: true,
        minimum: 0,
        summary: 'how long at most; without: as long as it takes',
      },
    ],
    returns: 'true when no flow is left at what drains, false when the time was over',
    summary:
      'Waits until all flows of its outputs that drain have ended; Ctrl-C ends the wait only. A ' +
      'flow ends by silence: a minute after it was closed, else docs/internals.md says when.',
    example: 'lb:drain("eth3{1"):wait_drained(600)',
    call: waitDrained,
  },
  {
    name: 'draining',
    arguments: [],
    returns: 'a table: for each output that drains, sessions (left) and since (seconds since 1970)',
    summary: 'How far draining has come.',
    example: 'lb:draining()["eth3{1"].sessions',
    call: (context, self) => draining(context, self),
  },
];
