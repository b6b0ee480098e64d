/** What an engine is made with: a table of options, a core, the batch of the command line. */
import { cpus } from 'node:os';
import { BricksError } from '../errors.ts';
import type { EngineOptions } from '../native/binding.ts';
import type { ApiContext } from './api.ts';
import { type LuaValue, type TableValue, typeName } from './values.ts';

/**
 * packet-bricks' batch had no effect and scripts pass 1024: more than fits means as many as fit.
 */
export function batchOf(context: ApiContext, batch: number): number {
  return Math.min(batch, context.binding.limits()['kBatchMax'] ?? 256);
}

function refuseOption(name: string, wanted: string, value: LuaValue): never {
  throw new BricksError(
    'invalid_argument',
    `PktEngine.new: option ${name} must be ${wanted}, got ${typeName(value)}`,
  );
}

function wholeNumber(value: LuaValue): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) ? number : Number.NaN;
}

function pipeSlots(context: ApiContext, value: LuaValue): number {
  const { kPipeSlotsMin: least = 16, kPipeSlotsMax: most = 65536 } = context.binding.limits();
  const slots = wholeNumber(value);
  if (slots >= least && slots <= most && Number.isInteger(Math.log2(slots))) return slots;
  return refuseOption('pipe_slots', `a power of two from ${least} to ${most}`, value);
}

function spillBuffers(context: ApiContext, value: LuaValue): number {
  const { kSpillBuffersMax: most = 4_194_304 } = context.binding.limits();
  const buffers = wholeNumber(value);
  if (buffers >= 0 && buffers <= most) return buffers;
  return refuseOption('spill', `a whole number from 0 to ${most}`, value);
}

function sessionCount(context: ApiContext, value: LuaValue): number {
  const { kSessionsMax: most = 16_000_000 } = context.binding.limits();
  const sessions = wholeNumber(value);
  if (sessions >= 1 && sessions <= most) return sessions;
  return refuseOption('sessions', `a whole number from 1 to ${most}`, value);
}

export function readOptions(context: ApiContext, table: TableValue | undefined): EngineOptions {
  let options: EngineOptions = {};
  if (table !== undefined && table.list.length > 0) {
    throw new BricksError(
      'invalid_argument',
      'PktEngine.new: options need names, like { shared = true }',
    );
  }
  for (const [name, value] of table?.fields ?? []) {
    switch (name) {
      case 'shared':
      case 'busy':
        if (typeof value !== 'boolean') refuseOption(name, 'true or false', value);
        options = { ...options, [name]: value === true };
        break;
      case 'pipe_slots':
        options = { ...options, pipeSlots: pipeSlots(context, value) };
        break;
      case 'spill':
        options = { ...options, spill: spillBuffers(context, value) };
        break;
      case 'sessions':
        options = { ...options, sessions: sessionCount(context, value) };
        break;
      case 'batch':
        if (!(wholeNumber(value) >= 1)) refuseOption(name, 'a whole number, at least 1', value);
        options = { ...options, batch: batchOf(context, wholeNumber(value)) };
        break;
      default:
        throw new BricksError(
          'invalid_argument',
          `PktEngine.new: there is no option "${name}"; ` +
            'options: shared, pipe_slots, spill, sessions, busy, batch',
        );
    }
  }
  return options;
}

/** What `bricks -b N` asked for, where a script does not say how many packets a batch has. */
export function defaultBatch(): EngineOptions {
  const batch = Number(process.env['BRICKS_BATCH'] ?? 0);
  return Number.isInteger(batch) && batch >= 1 ? { batch } : {};
}

/**
 * Makes the engine; false when one of that name was there. Scripts written for a larger machine
 * pin engines to cores that this one does not have: as ever, such an engine runs unpinned, and a
 * warning says so.
 */
export function createEngine(
  context: ApiContext,
  name: string,
  options: EngineOptions,
  cpu: number | undefined,
): boolean {
  const { registry } = context;
  if (cpu === undefined) return registry.create(name, options);
  try {
    return registry.create(name, { ...options, cpu });
  } catch (error) {
    const last = cpus().length - 1;
    const isMissingCore = error instanceof BricksError && error.code === 'invalid_argument';
    if (!isMissingCore || cpu <= last) throw error;
    const made = registry.create(name, options);
    const why = `there is no core ${cpu}, only 0 to ${last}`;
    context.write('stderr', `engine "${name}" is not pinned: ${why}\n`);
    return made;
  }
}
