/** The daemon's log: one line an event on a terminal, one JSON object a line elsewhere. */

export type LogLevel = 'info' | 'warning' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Writes one event. `message` is a sentence; `fields` what a program would want to pick out. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void;

const ranks: Readonly<Record<LogLevel, number>> = { info: 0, warning: 1, error: 2 };

/** A log on `stream` of everything at least as grave as `least`. Write errors are the stream's. */
export function createLog(
  stream: { write(text: string): unknown; readonly isTTY?: boolean },
  least: LogLevel,
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
      stream.write(`${JSON.stringify({ time, level, message, ...fields })}\n`);
    }
  };
}
