/** help(): a class, a method, a kind of brick. */
import { BricksError } from '../errors.ts';
import type { ApiClass, ApiContext } from './api.ts';
import { helpText, kindHelp, methodHelp, signature } from './texts.ts';

/** How a handle of the class is called in examples. */
export const handleName = { BRICKS: 'BRICKS', PktEngine: 'pe', Brick: 'b' } as const;

/** `about`: a method of the class, or for Brick a kind; undefined: the class. */
export function printHelp(
  context: ApiContext,
  api: ApiClass,
  about: string | undefined,
): undefined {
  context.write('stdout', about === undefined ? helpText(api) : helpAbout(context, api, about));
  return undefined;
}

function helpAbout(context: ApiContext, api: ApiClass, about: string): string {
  const kind = api.name === 'Brick' ? context.rules.kinds.get(about) : undefined;
  if (kind !== undefined) return kindHelp(kind);
  const own = api.statics.find((entry) => entry.name === about);
  if (own !== undefined) return methodHelp(signature(`${api.name}.`, own), own);
  const method = api.methods.find((entry) => entry.name === about);
  if (method !== undefined)
    return methodHelp(signature(`${handleName[api.name]}:`, method), method);
  const names = [...api.statics, ...api.methods].map((entry) => entry.name);
  const kinds = api.name === 'Brick' ? [...context.rules.kinds.keys()] : [];
  throw new BricksError(
    'invalid_argument',
    `${api.name}.help: nothing is called "${about}"; there are: ${[...names, ...kinds].join(', ')}`,
  );
}
