/** Recorders: the last seconds of what passes a link, for taps that begin in the past. */
import { type ApiContext, chained, type HandleMethod } from './api.ts';
import type { EngineHandle } from './values.ts';

const mebibyte = 1024 * 1024;

export const recordMethod: HandleMethod<EngineHandle> = {
  name: 'record',
  arguments: [
    { name: 'link', type: 'text', summary: 'an input, a link between bricks, or an output' },
    {
      name: 'seconds',
      type: 'integer',
      minimum: 0,
      maximum: 86_400,
      summary: 'how far back it goes; 0: no longer',
    },
    {
      name: 'mebibytes',
      type: 'integer',
      optional: true,
      minimum: 4,
      maximum: 65_536,
      summary: 'of memory at most, used as it fills: when it is full the oldest go; default 64',
    },
  ],
  returns: 'the engine',
  summary:
    "Keeps the last seconds of what passes a link: `bricks cat --last 10 'eth3}0'` and Wireshark " +
    'begin with them. Ends with the link.',
  example: 'pe:record("eth3{0", 60, 256)',
  call: (context: ApiContext, self, args) => {
    const bytes = (args.optionalNumber('mebibytes') ?? 64) * mebibyte;
    context.registry.record(
      self.name,
      args.text('link'),
      args.optionalNumber('seconds') ?? 0,
      bytes,
    );
    return chained;
  },
};
