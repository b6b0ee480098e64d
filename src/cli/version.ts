/** Who this is. */
import { packageVersion } from '../native/load.ts';

export const version = packageVersion;

/** First lines of an interactive shell. */
export function banner(): string {
  return `BRICKS-${version()}  Ctrl-D leaves; BRICKS.help() tells what there is\n`;
}
