/**
 * The daemon's log: one line an event on a terminal, one JSON object a line elsewhere; with its
 * priority in front where the journal reads it.
 */
import { fstatSync } from 'node:fs';

export type LogLevel = 'info' | 'warning' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** syslog's numbers. */
const priorities: Readonly<Record<LogLevel, number>> = { info: 6, warning: 4, error: 3 };

/** True when the journal reads what is written to that file descriptor. */
export function goesToJournal(fd: number, env: NodeJS.ProcessEnv = process.env): boolean {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return env['JOURNAL_STREAM'] === `${dev}:${ino}`;
}

/** Writes one event. `message` is a sentence; `fields` what a program would want to pick out. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

const ranks: Readonly<Record<LogLevel, number>> = { info: 0, warning: 1, error: 2 };

/** A log on `stream` of everything at least as grave as `least`. Write errors are the stream's. */
export function createLog(
  stream: { write(text: string): unknown; readonly isTTY?: boolean },
  least: LogLevel,
  journal = false,
): Log {
  return (level, message, fields = {}) => {
    if (ranks[level] < ranks[least]) {
      return;
    }
    const time = new Date().toISOString();
    if (stream.isTTY === true) {
      const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`);
      stream.write(`${time.slice(11, 23)} ${level}: ${message}${pairs.join('')}\n`);
    } else {
      const prefix = journal ? `<${priorities[level]}>` : '';
      stream.write(`${prefix}${JSON.stringify({ time, level, message, ...fields })}\n`);
    }
  };
}
