/** Who this is. */
import { createRequire } from 'node:module';

/** As package.json has it; asked for by name, which is the same from sources and from dist/. */
export function version(): string {
  const { version: text } = createRequire(import.meta.url)('bricks/package.json') as {
    version: string;
  };
  return text;
}

/** First lines of an interactive shell. */
export function banner(): string {
  return `BRICKS-${version()}  Ctrl-D leaves; BRICKS.help() tells what there is\n`;
}
