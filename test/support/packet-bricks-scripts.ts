/**
 * The two sets of packet-bricks' scripts: ours, and the original files where somebody has them.
 * BRICKS_ORIGINAL_SCRIPTS names the folder that holds its bricks-scripts/.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface ScriptSet {
  readonly name: string;
  /** Lua that sets `prefix`, so that dofile finds this set. */
  readonly prefix: string;
  /** Why it cannot be tested here; false: it can. */
  readonly missing: string | false;
}

const original = process.env['BRICKS_ORIGINAL_SCRIPTS'] ?? '';
const hasOriginal = existsSync(join(original, 'bricks-scripts', 'utils.lua'));

export const scriptSets: readonly ScriptSet[] = [
  { name: 'our scripts', prefix: '', missing: false },
  {
    name: "packet-bricks' own scripts",
    prefix: `prefix = ${JSON.stringify(`${original}/`)}\n`,
    missing:
      !hasOriginal &&
      "BRICKS_ORIGINAL_SCRIPTS does not name a folder with packet-bricks' bricks-scripts/ in it",
  },
];
