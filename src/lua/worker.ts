/**
 * The Lua machine's thread. Requests are carried out one after the other; output goes out at once.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadBinding } from '../native/load.ts';
import { Machine } from './machine.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts';
import { Signals } from './signals.ts';

const port = parentPort;
if (port === null) throw new Error('worker.ts runs as a worker thread');
const send = (message: FromWorker): void => port.postMessage(message);

const signals = new Signals((workerData as WorkerSetup).signals);
const machine = new Machine({
  binding: loadBinding(),
  signals,
  sink: (stream, text) => send({ id: signals.current, type: 'output', stream, text }),
  onExit: (status) => send({ type: 'exit', status }),
});

port.on('message', (message: ToWorker) => {
  signals.current = message.id;
  if (message.type === 'complete') {
    send({ id: message.id, type: 'candidates', lines: machine.complete(message.line) });
  } else {
    const outcome =
      message.type === 'file'
        ? machine.runFile(message.path)
        : machine.execute(message.code, message.name, message.interactive);
    send({ id: message.id, type: 'done', outcome });
  }
  signals.current = 0;
});
send({ type: 'ready' });
