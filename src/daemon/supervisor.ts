/**
 * Tells the service manager that started this process how things stand: sd_notify's protocol, one
 * datagram a message to $NOTIFY_SOCKET. Without that variable nothing happens.
 */
import type { EngineSnapshot, NativeBinding } from '../native/binding.ts';

type Datagrams = Pick<NativeBinding, 'sendDatagram' | 'snapshot'>;

const statusMs = 5000;

/** "2 engines, 8 pipes, 1234567 packets, 0 dropped" */
export function statusLine(engines: readonly EngineSnapshot[]): string {
  let pipes = 0;
  let packets = 0;
  let dropped = 0;
  for (const { inputs, outputs } of engines) {
    for (const { cell } of inputs) {
      packets += cell.packets;
    }
    for (const { slots } of outputs) {
      pipes += slots > 0 ? 1 : 0;
    }
    for (const { cell } of [...inputs, ...outputs]) {
      dropped += Object.values(cell.dropped).reduce((sum, count) => sum + count, 0);
    }
  }
  const running = engines.filter((engine) => engine.running).length;
  return `${running} engines run, ${pipes} pipes, ${packets} packets, ${dropped} dropped`;
}

export class Supervisor {
  readonly #binding: Datagrams;
  readonly #socket: string | undefined;
  /** The manager restarts who is silent this long; undefined: it does not watch. */
  readonly #watchdogMs: number | undefined;
  #timers: NodeJS.Timeout[] = [];

  /** Takes the variables out of `env`: they are not meant for what scripts start. */
  constructor(binding: Datagrams, env: NodeJS.ProcessEnv = process.env) {
    this.#binding = binding;
    this.#socket = env['NOTIFY_SOCKET'] || undefined;
    const microseconds = Number(env['WATCHDOG_USEC'] ?? 0);
    const isMine = (env['WATCHDOG_PID'] ?? `${process.pid}`) === `${process.pid}`;
    this.#watchdogMs = isMine && microseconds >= 1000 ? microseconds / 1000 : undefined;
    delete env['NOTIFY_SOCKET'];
    delete env['WATCHDOG_USEC'];
    delete env['WATCHDOG_PID'];
  }

  #send(...lines: string[]): void {
    if (this.#socket !== undefined) {
      try {
        this.#binding.sendDatagram(this.#socket, lines.join('\n'));
      } catch {
        // A manager that does not listen is no reason to fail; the next message may get through.
      }
    }
  }

  #status(): string {
    return `STATUS=${statusLine(this.#binding.snapshot())}`;
  }

  /** The startup script has been carried out. From now on the watchdog is fed. */
  ready(): void {
    if (this.#socket === undefined) {
      return;
    }
    this.#send('READY=1', this.#status(), `MAINPID=${process.pid}`);
    this.#every(statusMs, () => this.#send(this.#status()));
    if (this.#watchdogMs !== undefined) {
      // The look at the counters is answered by every engine's thread: one that hangs is not alive.
      this.#every(this.#watchdogMs / 2, () => this.#send('WATCHDOG=1', this.#status()));
    }
  }

  #every(ms: number, run: () => void): void {
    this.#timers.push(setInterval(run, ms).unref());
  }

  stopping(): void {
    for (const timer of this.#timers) {
      clearInterval(timer);
    }
    this.#timers = [];
    this.#send('STOPPING=1', 'STATUS=ending');
  }
}
