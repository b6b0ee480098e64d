/** The table of all commands. */
import { BricksError, exitCodes } from '../errors.ts';
import { bricksCommand } from './bricks.ts';
import { catCommand } from './cat.ts';
import { type Command, helpOption, runDirOption } from './command.ts';
import { completionPage, completionShells } from './completion.ts';
import { doctorCommand } from './doctor.ts';
import { explainCommand } from './explain.ts';
import { filterCommand } from './filter.ts';
import { flowsCommand } from './flows.ts';
import { commandHelp, overview, referencePage } from './help.ts';
import { killServerCommand } from './kill-server.ts';
import { lbCommand } from './lb.ts';
import { manualPages } from './manual.ts';
import { pluginCommand } from './plugin.ts';
import { replayCommand } from './replay.ts';
import { ledgerCommand, pipeNames, statsCommand, statusCommand } from './reports.ts';
import { runCommand } from './run.ts';
import { duplicateCommand, loadBalanceCommand } from './split.ts';
import { streamsCommand } from './streams.ts';
import { verifyCommand } from './verify.ts';
import { version } from './version.ts';
import { wiresharkCommand } from './wireshark.ts';

const helpCommand: Command = {
  name: 'help',
  usage: '[COMMAND]',
  summary: 'what there is, or more about one command',
  options: helpOption,
  words: [0, 1],
  get completes(): readonly string[] {
    return commands.map(({ name }) => name);
  },
  run: (args) => {
    const [name] = args.words;
    process.stdout.write(
      name === undefined ? overview(bricksCommand, commands) : commandHelp(commandOf(name)),
    );
    return exitCodes.ok;
  },
};

const versionCommand: Command = {
  name: 'version',
  usage: '',
  summary: 'print the version',
  options: helpOption,
  words: [0, 0],
  run: () => {
    process.stdout.write(`bricks ${version()}\n`);
    return exitCodes.ok;
  },
};

const completionCommand: Command = {
  name: 'completion',
  usage: 'bash|zsh|fish|pipes [--run-dir DIR]',
  summary: 'print what makes a shell complete our command lines',
  details:
    'bash: source <(bricks completion bash), or into /usr/share/bash-completion/completions.\n' +
    'zsh: into a file _bricks on the fpath. fish: into ~/.config/fish/completions/bricks.fish.\n' +
    'pipes: what consumers of the running daemon can read, a name a line.',
  options: { ...runDirOption, ...helpOption },
  words: [1, 1],
  completes: [...completionShells, 'pipes'],
  run: async (args) => {
    const [what = ''] = args.words;
    const text =
      what === 'pipes'
        ? await pipeNames(args.text('run-dir'))
        : completionPage(what, bricksCommand, commands);
    process.stdout.write(text);
    return exitCodes.ok;
  },
};

export const commands: readonly Command[] = [
  catCommand,
  runCommand,
  statusCommand,
  statsCommand,
  ledgerCommand,
  verifyCommand,
  explainCommand,
  doctorCommand,
  replayCommand,
  filterCommand,
  flowsCommand,
  streamsCommand,
  loadBalanceCommand,
  duplicateCommand,
  lbCommand,
  pluginCommand,
  killServerCommand,
  wiresharkCommand,
  completionCommand,
  helpCommand,
  versionCommand,
];

/** The command of that name. Throws `usage`. */
export function commandOf(name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found === undefined) {
    const names = commands.map((command) => command.name).join(', ');
    throw new BricksError(
      'usage',
      `there is no command '${name}'; there are ${names} (a script goes after -f); more: bricks -h`,
    );
  }
  return found;
}

/** Files of share/ that are views of this table, by path from the repository's root. */
export function sharedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [name, text] of manualPages(bricksCommand, commands, version())) {
    files.set(`share/man/man1/${name}`, text);
  }
  for (const [shell, name] of [
    ['bash', 'bricks'],
    ['zsh', '_bricks'],
    ['fish', 'bricks.fish'],
  ] as const) {
    files.set(`share/completions/${name}`, completionPage(shell, bricksCommand, commands));
  }
  return files;
}

/** The reference page of the command line (docs/), in Markdown. */
export function commandReferencePage(): string {
  return referencePage(bricksCommand, commands);
}
