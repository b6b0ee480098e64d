/** What a plugin's file in TypeScript or JavaScript says of itself; nothing of it is started. */
import { existsSync } from 'node:fs';
import { register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { BricksError } from '../errors.ts';
import type { PluginDescription } from '../native/plugin-binding.ts';
import { describe } from './definition.ts';
import { eventNames } from './layout.ts';
import { protocolNames } from './records.ts';

const types = { s: 'text', n: 'number', b: 'boolean' } as const;

function namesOf(bits: number, names: readonly (string | undefined)[]): string[] {
  return names.filter(
    (name, index) => name !== undefined && ((bits >> index) & 1) === 1,
  ) as string[];
}

/** Throws `no_such_file`, and `invalid_argument` with what is wrong in it. */
export async function lookAtScript(path: string): Promise<PluginDescription> {
  if (!existsSync(path)) throw new BricksError('no_such_file', `${path}: there is no such file`);
  const hooks = import.meta.url.endsWith('.ts') ? './strip-types.ts' : './strip-types.js';
  register(hooks, import.meta.url);
  try {
    const module: { default?: unknown } = await import(pathToFileURL(path).href);
    const [, plugin] = describe(module.default);
    return {
      name: plugin.name,
      kind: 'typescript',
      summary: plugin.summary,
      events: namesOf(plugin.events, eventNames),
      protocols: namesOf(plugin.protocols, protocolNames),
      options: plugin.options.map(({ name, type, summary, preset }) => ({
        name,
        type: types[type],
        summary,
        ...(preset === undefined ? {} : { preset }),
      })),
      figures: plugin.figures,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BricksError('invalid_argument', `${path}: ${reason}`);
  }
}
