/** The thread of one plugin: loads its file, then takes turns until there are no more. */
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { workerData } from 'node:worker_threads';
import { loadBinding } from '../native/load.ts';
import { turns } from '../native/scripts.ts';
import type { PluginDefinition } from './api.ts';
import { describe } from './definition.ts';
import { hostOf } from './host.ts';
import { Turns } from './turns.ts';

export interface ThreadSetup {
  readonly host: number;
  readonly epoch: number;
  readonly path: string;
}

/** How long one stay in the loop of turns is before timers and promises have their turn. */
const stayMs = 1;
/** A thread without events looks after those so often. */
const idleUs = 20_000;

const { host, epoch, path } = workerData as ThreadSetup;
const binding = loadBinding();
const plugin = binding.attachPlugin(host, epoch);

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

async function load(): Promise<PluginDefinition | undefined> {
  const name = import.meta.url.endsWith('.ts') ? './strip-types.ts' : './strip-types.js';
  register(name, import.meta.url);
  try {
    const module: { default?: unknown } = await import(pathToFileURL(path).href);
    const [definition, description] = describe(module.default);
    binding.pluginDefined(plugin, description);
    return definition;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    binding.refusePlugin(plugin, `${path}: ${reason}`);
    return undefined;
  }
}

async function start(definition: PluginDefinition): Promise<boolean> {
  try {
    await definition.start?.(hostOf(binding, plugin, definition));
    binding.pluginStarted(plugin);
    return true;
  } catch (error) {
    binding.refusePlugin(plugin, `its start() failed: ${textOf(error)}`);
    return false;
  }
}

function run(definition: PluginDefinition): void {
  const own = new Turns(binding, plugin, definition);
  process.on('unhandledRejection', (error) => {
    own.report(definition.name, 'a promise', textOf(error));
  });
  const end = async (): Promise<void> => {
    await definition.stop?.();
  };
  const stay = (): void => {
    const until = performance.now() + stayMs;
    do {
      switch (own.next(idleUs)) {
        case turns.end:
          void end();
          return;
        case turns.start:
          void start(definition).then((good) => {
            if (good) setImmediate(stay);
          });
          return;
        case turns.idle:
          setImmediate(stay);
          return;
      }
    } while (performance.now() < until);
    own.finish();
    setImmediate(stay);
  };
  stay();
}

const definition = await load();
if (definition !== undefined) run(definition);
