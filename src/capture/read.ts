/**
 * Reads capture files without any help from the native code, so that what the engine wrote can be
 * judged by somebody else. Whole files, up to what Node reads at once, 2 GiB.
 */
import { readFileSync } from 'node:fs';
import { BricksError } from '../errors.ts';
import { isPcapng, readPcapng } from './pcapng.ts';
import type { Capture, CaptureRecord } from './record.ts';

/** Largest captured length believed; anything beyond means the file is damaged. */
export const recordBytesMax = 256 * 1024;

const byMagic: Readonly<Record<string, { little: boolean; nanoseconds: boolean }>> = {
  d4c3b2a1: { little: true, nanoseconds: false },
  a1b2c3d4: { little: false, nanoseconds: false },
  '4d3cb2a1': { little: true, nanoseconds: true },
  a1b23c4d: { little: false, nanoseconds: true },
};

function readPcap(file: Buffer, little: boolean, nanoseconds: boolean): Capture {
  const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const records: CaptureRecord[] = [];
  if (file.length < 24) {
    return { records, damage: 'the file header is cut short' };
  }
  // The upper bits tell about frame check sequences, not about the link.
  const linkType = u32(20) & 0xffff;
  const unit = nanoseconds ? 1n : 1000n;
  let at = 24;
  while (at + 16 <= file.length) {
    const length = u32(at + 8);
    if (length > recordBytesMax) {
      return { records, damage: `a record of ${length} bytes at offset ${at}` };
    }
    if (at + 16 + length > file.length) {
      return { records, damage: `the record at offset ${at} is cut short` };
    }
    records.push({
      timestampNs: BigInt(u32(at)) * 1_000_000_000n + BigInt(u32(at + 4)) * unit,
      linkType,
      data: file.subarray(at + 16, at + 16 + length),
      wireLength: u32(at + 12),
    });
    at += 16 + length;
  }
  return at === file.length
    ? { records }
    : { records, damage: `the record at offset ${at} is cut short` };
}

/**
 * All packets of a pcap or pcapng buffer, in file order. `name` is for messages.
 * Throws `not_a_capture` when it is neither.
 */
export function parseCapture(file: Buffer, name: string): Capture {
  const variant = byMagic[file.subarray(0, 4).toString('hex')];
  if (variant !== undefined) {
    return readPcap(file, variant.little, variant.nanoseconds);
  }
  if (isPcapng(file)) {
    return readPcapng(file, recordBytesMax);
  }
  throw new BricksError('not_a_capture', `${name} is neither pcap nor pcapng; check it with: file`);
}

/** All packets of a capture file. Throws `no_such_file`, `not_a_capture` or `failed`. */
export function readCapture(path: string): Capture {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new BricksError(
      missing ? 'no_such_file' : 'failed',
      missing ? `no such file: ${path}` : `cannot read ${path}: ${(error as Error).message}`,
    );
  }
  return parseCapture(file, path);
}
