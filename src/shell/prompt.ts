/** The interactive prompt: line editor, history, completion, continuation lines, Ctrl-C. */
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Evaluator } from './evaluator.ts';
import { appendHistory, historyLinesMax, historyPath, loadHistory } from './history.ts';
import { finishChunk, hasColour, toOwnStreams } from './output.ts';

type Line = { readonly text: string } | 'interrupted' | 'ended';

/** How long a script's own prompt is waited for. */
const promptWaitMs = 300;

const name = (colour: boolean): string => (colour ? '\x1b[32mbricks\x1b[0m' : 'bricks');

/** One line typed after `prompt`. */
function askLine(editor: Interface, prompt: string): Promise<Line> {
  return new Promise((resolve) => {
    const finish = (line: Line): void => {
      editor.off('line', onLine);
      editor.off('SIGINT', onInterrupt);
      editor.off('close', onClose);
      resolve(line);
    };
    const onLine = (text: string): void => finish({ text });
    const onInterrupt = (): void => finish('interrupted');
    const onClose = (): void => finish('ended');
    editor.once('line', onLine);
    editor.once('SIGINT', onInterrupt);
    editor.once('close', onClose);
    editor.setPrompt(prompt);
    editor.prompt();
  });
}

/** While Lua runs the terminal belongs to it: Ctrl-C is a signal, `io.read` gets what is typed. */
async function withoutEditor<T>(editor: Interface, run: () => Promise<T>): Promise<T> {
  editor.pause();
  process.stdin.setRawMode(false);
  try {
    return await run();
  } finally {
    process.stdin.setRawMode(true);
    editor.resume();
  }
}

export class Prompt {
  readonly #evaluator: Evaluator;
  readonly #editor: Interface;
  readonly #historyFile = historyPath();

  constructor(evaluator: Evaluator) {
    this.#evaluator = evaluator;
    this.#editor = createInterface({
      input: process.stdin,
      output: process.stdout,
      history: loadHistory(this.#historyFile),
      historySize: historyLinesMax,
      removeHistoryDuplicates: true,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        // Candidates are whole lines; the list that is shown has only their last words.
        const word = /\w*$/.exec(line)?.[0] ?? '';
        const head = line.length - word.length;
        evaluator.complete(line).then(
          (lines) => done(null, [lines.map((candidate) => candidate.slice(head)), word]),
          () => done(null, [[], word]),
        );
      },
    });
    // Ctrl-C right behind a line, read together with it: nobody asks for a line now, and the editor
    // would end without a listener. The line is carried out first, then interrupted.
    this.#editor.on('SIGINT', () => {
      if (this.#editor.listenerCount('SIGINT') === 1) {
        setImmediate(() => evaluator.interrupt());
      }
    });
    this.#editor.on('history', ([newest]: string[]) => {
      if (newest !== undefined) {
        appendHistory(this.#historyFile, newest);
      }
    });
  }

  /** What a script put into `variable`, or the standard prompt. */
  async #promptText(variable: string, standard: string): Promise<string> {
    let text = '';
    const code = `if ${variable} ~= nil then io.write(tostring(${variable})) end`;
    const asked = this.#evaluator.execute(code, 'prompt', false, (stream, part) => {
      text += stream === 'stdout' ? part : '';
    });
    // Somebody else's endless chunk must not keep this shell from showing that it is there.
    await Promise.race([asked, sleep(promptWaitMs, undefined, { ref: false })]);
    asked.catch(() => {}); // the daemon has gone: whoever asks next is told
    return text === '' ? standard : text;
  }

  /** Reads and carries out lines until Ctrl-D, or until nobody is there to carry them out. */
  async run(): Promise<void> {
    const onSignal = (): void => this.#evaluator.interrupt();
    process.on('SIGINT', onSignal);
    void this.#evaluator.closed.then(() => this.#editor.close());
    try {
      await this.#loop();
    } finally {
      process.off('SIGINT', onSignal);
      this.#editor.close();
    }
  }

  async #loop(): Promise<void> {
    const shown = name(hasColour(process.stdout));
    let code = '';
    for (;;) {
      const prompt =
        code === ''
          ? await this.#promptText('_PROMPT', `${shown}> `)
          : await this.#promptText('_PROMPT2', `${shown}?>> `);
      const line = await askLine(this.#editor, prompt);
      if (line === 'ended') {
        process.stdout.write('\n');
        return;
      }
      if (line === 'interrupted') {
        process.stdout.write('^C\n');
        this.#editor.write(null, { ctrl: true, name: 'e' });
        this.#editor.write(null, { ctrl: true, name: 'u' });
        code = '';
        continue;
      }
      code = code === '' ? line.text.replace(/^\s*=/, 'return ') : `${code}\n${line.text}`;
      if (code.trim() !== '' && (await this.#carryOut(code)) === 'incomplete') {
        continue;
      }
      code = '';
    }
  }

  async #carryOut(code: string): Promise<'done' | 'incomplete'> {
    const result = await withoutEditor(this.#editor, () =>
      this.#evaluator.execute(code, 'stdin', true, toOwnStreams),
    );
    if (result.ok && result.incomplete === true) {
      return 'incomplete';
    }
    finishChunk(result);
    return 'done';
  }
}
