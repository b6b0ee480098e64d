/**
 * Text on its way to the session that runs: gathered into messages, the order of both streams kept.
 */
export type Stream = 'stdout' | 'stderr';
export type Sink = (stream: Stream, text: string) => void;

const sizeMax = 16 * 1024;
const ageMaxMs = 20;

export class Output {
  readonly #sink: Sink;
  #stream: Stream = 'stdout';
  #parts: Uint8Array[] = [];
  #size = 0;
  #since = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  write(stream: Stream, data: Uint8Array | string): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (bytes.length === 0) return;
    if (stream !== this.#stream) this.flush();
    this.#stream = stream;
    if (this.#parts.length === 0) this.#since = performance.now();
    this.#parts.push(bytes);
    this.#size += bytes.length;
    if (this.#size >= sizeMax) this.flush();
    else this.flushIfDue();
  }

  /** Sends what has waited too long; called now and then while Lua runs. */
  flushIfDue(): void {
    if (this.#parts.length > 0 && performance.now() - this.#since >= ageMaxMs) this.flush();
  }

  flush(): void {
    if (this.#parts.length === 0) return;
    const text = Buffer.concat(this.#parts).toString('utf8');
    this.#parts = [];
    this.#size = 0;
    this.#sink(this.#stream, text);
  }
}
