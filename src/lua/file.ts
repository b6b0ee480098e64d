/**
 * An open file as Lua's io library knows it: read by line, number, count or whole; written; sought.
 */
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';

const chunkBytes = 64 * 1024;
const newline = 10;

/** What stands behind a handle. */
export interface Channel {
  /** Next bytes, empty at the end. */
  read(): Uint8Array;
  write(data: Uint8Array): void;
  /** undefined: it cannot be sought. */
  seek?(whence: 'set' | 'cur' | 'end', offset: number, buffered: number): number;
  flush?(): void;
  /** What `close` returns to Lua besides true: popen's exit status. */
  close(): readonly (string | number)[];
}

export class LuaFile {
  readonly channel: Channel;
  readonly standard: boolean;
  closed = false;
  #buffer: Uint8Array = new Uint8Array();

  /** `standard`: stdin, stdout, stderr, which scripts cannot close. */
  constructor(channel: Channel, standard = false) {
    this.channel = channel;
    this.standard = standard;
  }

  #fill(): boolean {
    const more = this.channel.read();
    if (more.length === 0) return false;
    this.#buffer = this.#buffer.length === 0 ? more : Buffer.concat([this.#buffer, more]);
    return true;
  }

  #take(count: number): Uint8Array {
    const taken = this.#buffer.slice(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  /** The next line; undefined at the end. */
  readLine(keepNewline: boolean): Uint8Array | undefined {
    let from = 0;
    for (;;) {
      const end = this.#buffer.indexOf(newline, from);
      if (end >= 0) {
        const line = this.#take(end + 1);
        return keepNewline ? line : line.subarray(0, end);
      }
      from = this.#buffer.length;
      if (!this.#fill()) break;
    }
    return this.#buffer.length === 0 ? undefined : this.#take(this.#buffer.length);
  }

  readAll(): Uint8Array {
    const parts = [this.#buffer];
    for (let more = this.channel.read(); more.length > 0; more = this.channel.read()) {
      parts.push(more);
    }
    this.#buffer = new Uint8Array();
    return Buffer.concat(parts);
  }

  /** Up to `count` bytes; undefined at the end. */
  readBytes(count: number): Uint8Array | undefined {
    while (this.#buffer.length < Math.max(count, 1) && this.#fill());
    return this.#buffer.length === 0 ? undefined : this.#take(count);
  }

  /** A numeral after white space; undefined (and nothing more read) where there is none. */
  readNumber(): number | undefined {
    const text = (): string => Buffer.from(this.#buffer.subarray(0, 400)).toString('latin1');
    while (!/^\s*\S+\s/.test(text()) && text().length < 400 && this.#fill());
    const numeral = /^\s*[-+]?(0[xX][\da-fA-F]+|(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)/.exec(
      text(),
    )?.[0];
    this.#take((numeral ?? /^\s*/.exec(text())?.[0] ?? '').length);
    return numeral === undefined ? undefined : Number(numeral);
  }

  write(data: Uint8Array): void {
    this.#forgetBuffer();
    this.channel.write(data);
  }

  /** The new position from the start; throws what the system says when it cannot be sought. */
  seek(whence: 'set' | 'cur' | 'end', offset: number): number {
    if (this.channel.seek === undefined) throw Object.assign(new Error(), { errno: -29 });
    const buffered = this.#buffer.length;
    this.#buffer = new Uint8Array();
    return this.channel.seek(whence, offset, buffered);
  }

  close(): readonly (string | number)[] {
    this.closed = true;
    return this.channel.close();
  }

  #forgetBuffer(): void {
    if (this.#buffer.length > 0 && this.channel.seek !== undefined) this.seek('cur', 0);
  }
}

/** A file descriptor. Regular files keep a position of their own, so that reads and writes mix. */
export class DescriptorChannel implements Channel {
  readonly #fd: number;
  readonly #append: boolean;
  readonly #regular: boolean;
  #position = 0;
  readonly #chunk = Buffer.alloc(chunkBytes);

  constructor(fd: number, append: boolean) {
    this.#fd = fd;
    this.#append = append;
    this.#regular = fstatSync(fd).isFile();
  }

  read(): Uint8Array {
    const position = this.#regular ? this.#position : null;
    const count = readSync(this.#fd, this.#chunk, 0, chunkBytes, position);
    this.#position += count;
    return this.#chunk.slice(0, count);
  }

  write(data: Uint8Array): void {
    let done = 0;
    while (done < data.length) {
      const position = this.#regular && !this.#append ? this.#position : null;
      const count = writeSync(this.#fd, data, done, data.length - done, position);
      done += count;
      this.#position += count;
    }
    if (this.#append && this.#regular) this.#position = fstatSync(this.#fd).size;
  }

  seek(whence: 'set' | 'cur' | 'end', offset: number, buffered: number): number {
    if (!this.#regular) throw Object.assign(new Error(), { errno: -29 });
    const size = fstatSync(this.#fd).size;
    const from = { set: 0, cur: this.#position - buffered, end: size }[whence];
    if (from + offset < 0) throw Object.assign(new Error(), { errno: -22 });
    this.#position = from + offset;
    return this.#position;
  }

  close(): readonly (string | number)[] {
    closeSync(this.#fd);
    return [];
  }
}
