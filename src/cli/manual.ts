/** Man pages, out of the table of commands. */
import { errorCatalogue, exitCodes } from '../errors.ts';
import { type Command, type CommandOption, usageLine } from './command.ts';

/** Text for roff: nothing in it is a request or an escape. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/[^\0-\x7f]/gu, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return `\\[u${code.toString(16).toUpperCase().padStart(4, '0')}]`;
    })
    .replaceAll(/^(?=[.'])/gm, '\\&');
}

const bold = (text: string): string => `\\fB${plain(text)}\\fR`;
const italic = (text: string): string => `\\fI${plain(text)}\\fR`;

function optionEntry([name, option]: readonly [string, CommandOption]): string {
  const value = option.value === undefined ? '' : ` ${italic(option.value)}`;
  const short = option.short === undefined ? '' : `${bold(`-${option.short}`)}, `;
  return `.TP\n${short}${bold(`--${name}`)}${value}\n${plain(option.summary)}`;
}

const optionList = (command: Command): string =>
  Object.entries(command.options).map(optionEntry).join('\n');

/** Paragraphs; lines are filled as roff likes. */
const prose = (...paragraphs: readonly string[]): string =>
  paragraphs.map((text) => `.PP\n${plain(text)}`).join('\n');

const literal = (...lines: readonly string[]): string =>
  ['.PP', '.nf', '.RS 4', ...lines.map(plain), '.RE', '.fi'].join('\n');

interface Page {
  readonly name: string;
  readonly summary: string;
  /** What one types, where that is not the page's name. */
  readonly call?: string;
  /** After that, in the synopsis. */
  readonly usage: string;
  /** Sections with roff inside, in order. */
  readonly sections: readonly (readonly [title: string, body: string])[];
  readonly seeAlso: readonly string[];
}

const exitStatus = (): string =>
  Object.entries(exitCodes)
    .map(([name, exit]) => {
      const reasons = Object.values(errorCatalogue)
        .filter((entry) => entry.exit === exit)
        .map(({ summary }) => summary);
      return `.TP\n${bold(String(exit))}\n${plain(reasons.join('; ') || name)}`;
    })
    .join('\n');

const environment = [
  ['BRICKS_RUN_DIR', 'the runtime folder, where --run-dir names none'],
  ['BRICKS_HISTORY', "the shell's history file; default ~/.bricks_history; empty: none"],
  ['LUA_INIT', 'Lua code, or @FILE, to run before anything else'],
  ['NO_COLOR', 'no colours'],
].map(([name = '', text = '']) => `.TP\n${bold(name)}\n${plain(text)}`);

const files = [
  ['control.sock', 'where shells and reports ask (WebSocket over a Unix socket)'],
  ['ports.sock', 'where consumers get their end of a pipe'],
  ['bricks.pid', "the daemon's process id"],
  ['bricks.log', "a detached daemon's log; begins anew on SIGHUP, for logrotate(8)"],
].map(([name = '', text = '']) => `.TP\n${italic(`/run/bricks/${name}`)}\n${plain(text)}`);

function render(page: Page, version: string): string {
  const sections = [
    ['NAME', `${page.name.replaceAll('-', '\\-')} \\- ${plain(page.summary)}`],
    ['SYNOPSIS', `${bold(page.call ?? page.name)} ${plain(page.usage)}`],
    ...page.sections,
    ['EXIT STATUS', exitStatus()],
    ['SEE ALSO', page.seeAlso.map((name) => `.BR ${name.replaceAll('-', '\\-')} (1)`).join(',\n')],
  ];
  const head = page.name.toUpperCase().replaceAll('-', '\\-');
  return [
    '.\\" Made by `npm run docs` from the table of commands. Change that, not this.',
    `.TH ${head} 1 "" "bricks ${version}" "User Commands"`,
    ...sections.map(([title, body]) => `.SH ${title}\n${body}`),
    '',
  ]
    .join('\n')
    .replaceAll('.SH DESCRIPTION\n.PP\n', '.SH DESCRIPTION\n');
}

function commandSection(command: Command): string {
  const details = command.details === undefined ? [] : [prose(command.details)];
  return [
    `.SS ${plain(`bricks ${command.name}`)}`,
    plain(usageLine(command)),
    prose(`${command.summary}.`),
    ...details,
    optionList(command),
  ].join('\n');
}

function mainPage(main: Command, commands: readonly Command[]): Page {
  return {
    name: 'bricks',
    summary: 'gives every network tool exactly the right packets',
    usage: `${main.usage}\n.br\n${bold('bricks')} ${italic('COMMAND')} ...`,
    sections: [
      [
        'DESCRIPTION',
        prose(
          'bricks takes packets from a network device or a capture file, runs them through a ' +
            'graph of bricks (LoadBalancer, Duplicator, Merge, Filter and others) and hands ' +
            'each program downstream exactly the packets it should have. The graph is ' +
            'described in Lua and can be changed while packets flow; every packet is ' +
            'accounted for.',
          main.details ?? '',
        ),
      ],
      ['OPTIONS', optionList(main)],
      ['COMMANDS', commands.map(commandSection).join('\n')],
      ['ENVIRONMENT', environment.join('\n')],
      ['FILES', files.join('\n')],
      [
        'EXAMPLES',
        [
          prose('Split a capture by flow over two pipes, and read one of them:'),
          literal(
            'bricks lb -i pcap:in.pcap -p web:2 &',
            "bricks cat 'web}0' -w zero.pcap &",
            "bricks cat 'web}1'",
          ),
          prose('Run a graph as a daemon, look at it, end it:'),
          literal('bricks-server -f split.lua', 'bricks ledger', 'bricks-kill-server'),
        ].join('\n'),
      ],
    ],
    seeAlso: [
      ...[
        'bricks-server',
        'bricks-shell',
        'bricks-cat',
        'bricks-run',
        'bricks-flows',
        'bricks-streams',
      ],
      ...['bricks-lb', 'bricks-load-balance', 'bricks-duplicate', 'bricks-kill-server'],
    ],
  };
}

function programPage(program: string, command: Command, description?: string): Page {
  const texts = [description, command.details].filter((text) => text !== undefined);
  return {
    name: program,
    summary: command.summary.replace(/ \(also: .*\)$/, ''),
    usage: command.usage,
    sections: [
      ['DESCRIPTION', prose(...(texts.length > 0 ? texts : [`${command.summary}.`]))],
      ['OPTIONS', optionList(command)],
    ],
    seeAlso: ['bricks'],
  };
}

/** File name and text of every page. */
export function manualPages(
  main: Command,
  commands: readonly Command[],
  version: string,
): Map<string, string> {
  const find = (name: string): Command => commands.find((command) => command.name === name) ?? main;
  const {
    foreground,
    file,
    batch,
    'legacy-port': legacyPort,
    'run-dir': runDir,
    help,
  } = main.options;
  const { command, address, port } = main.options;
  const withOptions = (
    summary: string,
    usage: string,
    options: Record<string, unknown>,
  ): Command => ({
    name: main.name,
    words: main.words,
    run: main.run,
    summary,
    usage,
    options: Object.fromEntries(
      Object.entries(options).filter(([, option]) => option !== undefined),
    ) as Command['options'],
  });
  const server = withOptions(
    'the daemon of bricks',
    '[-f FILE] [-b N] [--foreground] [--legacy-port PORT] [--run-dir DIR]',
    { file, batch, foreground, 'legacy-port': legacyPort, 'run-dir': runDir, help },
  );
  const shell = withOptions(
    'a shell of a running bricks daemon',
    '[-c CODE] [-f FILE] [-a ADDRESS] [-p PORT] [--run-dir DIR]',
    { command, file, address, port, 'run-dir': runDir, help },
  );
  const pages = [
    mainPage(main, commands),
    programPage(
      'bricks-server',
      server,
      'The same as bricks -d: becomes a daemon and returns when it is ready; with --foreground ' +
        'it stays and logs to stderr, as a service manager wants it.',
    ),
    programPage(
      'bricks-shell',
      shell,
      'The same as bricks -s: a prompt whose lines the daemon carries out, with history, ' +
        'completion and lines that go on until a chunk of Lua is complete. Ctrl-C interrupts ' +
        'what runs, Ctrl-D leaves. Without a terminal it carries out what stdin holds.',
    ),
    ...['load-balance', 'duplicate', 'kill-server'].map((name) =>
      programPage(`bricks-${name}`, find(name), `The same as bricks ${name}.`),
    ),
    ...['cat', 'run', 'flows', 'streams', 'lb'].map((name) => ({
      ...programPage(`bricks-${name}`, find(name)),
      call: `bricks ${name}`,
    })),
  ];
  return new Map(pages.map((page) => [`${page.name}.1`, render(page, version)]));
}
