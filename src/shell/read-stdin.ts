/** Everything that stdin holds, as text. Rejects when it cannot be read, or holds too much. */
import { BricksError } from '../errors.ts';

export const stdinBytesMax = 3 * 1024 * 1024;

export async function readStdin(input: AsyncIterable<Buffer> = process.stdin): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of input) {
    bytes += part.length;
    if (bytes > stdinBytesMax) {
      const message = `stdin holds more than ${stdinBytesMax} bytes; put them in a file for -f`;
      throw new BricksError('limit_reached', message);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
