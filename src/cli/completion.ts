/** Completion for shells, out of the table of commands. */
import { BricksError } from '../errors.ts';
import type { Command, CommandOption, Completes } from './command.ts';

export const completionShells = ['bash', 'zsh', 'fish'] as const;

/** Programs of bin/ and the command each is. */
const programs: Readonly<Record<string, string>> = {
  'bricks-server': '',
  'bricks-shell': '',
  'bricks-load-balance': 'load-balance',
  'bricks-duplicate': 'duplicate',
  'bricks-kill-server': 'kill-server',
};

const wordsOf = (name: string, { short }: CommandOption): string[] =>
  short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`];

/** In single quotes, for any of the shells. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** What bash is to run for a word. */
function bashAction(completes: Completes | undefined): string {
  switch (completes) {
    case undefined:
      return ':';
    case 'file':
      return 'mapfile -t COMPREPLY < <(compgen -f -- "$word")';
    case 'folder':
      return 'mapfile -t COMPREPLY < <(compgen -d -- "$word")';
    case 'program':
      return 'mapfile -t COMPREPLY < <(compgen -c -- "$word")';
    case 'interface':
      return '_bricks_offer "$(ls /sys/class/net 2>/dev/null)"';
    case 'pipe':
      return '_bricks_offer "$(bricks completion pipes 2>/dev/null)"';
    default:
      return `_bricks_offer ${quote(completes.join('\n'))}`;
  }
}

/** Cases of options that take a value, then flags and words. */
function bashCommand({ name, options, completes }: Command, extra: string): string[] {
  const entries = Object.entries(options);
  const values = entries
    .filter(([, option]) => option.type === 'string')
    .map(([option, about]) => {
      const pattern = wordsOf(option, about).join('|');
      return `        ${pattern}) ${bashAction(about.completes)}; return ;;`;
    });
  const flags = entries.flatMap(([option, about]) => wordsOf(option, about)).join('\n');
  const first =
    extra === ''
      ? bashAction(completes)
      : `if [[ $program == bricks && $COMP_CWORD -eq 1 ]]; then _bricks_offer ${quote(extra)}; fi`;
  return [
    `    ${name === '' ? "''" : name})`,
    ...(values.length > 0 ? ['      case "$before" in', ...values, '      esac'] : []),
    `      if [[ $word == -* ]]; then _bricks_offer ${quote(flags)}; else ${first}; fi ;;`,
  ];
}

function bash(main: Command, commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name);
  const known = Object.entries(programs)
    .filter(([, command]) => command !== '')
    .map(([program, command]) => `    ${program}) command=${command} ;;`);
  return [
    '# bash completion of bricks; made by: bricks completion bash',
    '',
    '# Offers the lines of $1 that begin with the word. Braces are quoted for the command line.',
    '_bricks_offer() {',
    '  local line',
    '  COMPREPLY=()',
    '  while IFS= read -r line; do',
    '    if [[ -n $line && $line == "$plain"* ]]; then',
    '      if [[ $word == [\\"\\\']* ]]; then',
    '        COMPREPLY+=("$line")', // readline keeps the quote
    '      else',
    `        COMPREPLY+=("$(printf '%q' "$line")")`,
    '      fi',
    '    fi',
    '  done <<< "$1"',
    '}',
    '',
    '_bricks() {',
    `  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}`,
    `  local plain=\${word//[\\\\\\'\\"]/} command=`,
    `  local program=\${COMP_WORDS[0]##*/}`,
    '  case $program in',
    ...known,
    '    bricks)',
    `      if [[ $COMP_CWORD -gt 1 && \${COMP_WORDS[1]} != -* ]]; then`,
    `        command=\${COMP_WORDS[1]}`,
    '      fi ;;',
    '  esac',
    '  case "$command" in',
    ...bashCommand(main, names.join('\n')),
    ...commands.flatMap((command) => bashCommand(command, '')),
    '  esac',
    '}',
    '',
    `complete -F _bricks bricks ${Object.keys(programs).join(' ')}`,
    '',
  ].join('\n');
}

function zshAction(completes: Completes | undefined): string {
  switch (completes) {
    case undefined:
      return ' ';
    case 'file':
      return '_files';
    case 'folder':
      return '_files -/';
    case 'program':
      return '_command_names -e';
    case 'interface':
      return '{compadd -- /sys/class/net/*(:t)}';
    case 'pipe':
      return `{compadd -- \${(f)"$(bricks completion pipes 2>/dev/null)"}}`;
    default:
      return `(${completes.join(' ')})`;
  }
}

/** Inside zsh's specifications colons and brackets mean something. */
const zshText = (text: string): string => text.replaceAll(/[\\[\]:]/g, '\\$&');

function zshArguments({ options, completes, words }: Command): string[] {
  const specs = Object.entries(options).flatMap(([name, option]) =>
    wordsOf(name, option).map((word) => {
      const repeated = option.multiple === true ? '*' : '';
      const value =
        option.type === 'string'
          ? `:${zshText(option.value ?? 'value')}:${zshAction(option.completes)}`
          : '';
      return quote(`${repeated}${word}[${zshText(option.summary)}]${value}`);
    }),
  );
  const every = words[0] === 1 && words[1] === Number.POSITIVE_INFINITY; // FILE…
  const position = every ? '*' : '1';
  return words[1] > 0 ? [...specs, quote(`${position}: :${zshAction(completes)}`)] : specs;
}

function zsh(main: Command, commands: readonly Command[]): string {
  const cases = [main, ...commands].map((command) => {
    const name = command.name === '' ? "''" : command.name;
    return `    ${name}) _arguments \\\n      ${zshArguments(command).join(' \\\n      ')} ;;`;
  });
  const known = Object.entries(programs)
    .filter(([, command]) => command !== '')
    .map(([program, command]) => `    ${program}) command=${command} ;;`);
  const list = commands.map(({ name, summary }) => `      ${quote(`${name}:${zshText(summary)}`)}`);
  return [
    `#compdef bricks ${Object.keys(programs).join(' ')}`,
    '# zsh completion of bricks; made by: bricks completion zsh',
    '',
    '_bricks() {',
    '  local command= -a commands',
    `  case \${service:t} in`,
    ...known,
    '    bricks)',
    '      if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then',
    '        commands=(',
    ...list,
    '        )',
    '        _describe command commands',
    '        return',
    '      elif [[ $words[2] != -* ]]; then',
    '        command=$words[2]',
    '        shift words',
    '        (( CURRENT-- ))',
    '      fi ;;',
    '  esac',
    '  case $command in',
    ...cases,
    '  esac',
    '}',
    '',
    '_bricks "$@"',
    '',
  ].join('\n');
}

function fishAction(completes: Completes | undefined): string {
  switch (completes) {
    case undefined:
      return '';
    case 'file':
      return ' -F';
    case 'folder':
      return ` -a '(__fish_complete_directories)'`;
    case 'program':
      return ` -a '(__fish_complete_command)'`;
    case 'interface':
      return ` -a '(command ls /sys/class/net)'`;
    case 'pipe':
      return ` -a '(bricks completion pipes 2>/dev/null)'`;
    default:
      return ` -a ${quote(completes.join(' '))}`;
  }
}

function fishCommand(command: Command, program: string, condition: string): string[] {
  const where = `complete -c ${program}${condition}`;
  const options = Object.entries(command.options).map(([name, option]) => {
    const short = option.short === undefined ? '' : ` -s ${option.short}`;
    const action = fishAction(option.completes);
    const needs = option.completes === 'file' ? '-r' : '-x'; // -x keeps files out
    const value = option.type === 'string' ? ` ${needs}${action}` : '';
    return `${where}${short} -l ${name}${value} -d ${quote(option.summary)}`;
  });
  const words = command.words[1] > 0 ? fishAction(command.completes) : '';
  return words === '' ? options : [...options, `${where}${words}`];
}

function fish(main: Command, commands: readonly Command[]): string {
  const none = " -n '__fish_use_subcommand'";
  const byName = new Map([main, ...commands].map((command) => [command.name, command]));
  return [
    '# fish completion of bricks; made by: bricks completion fish',
    'complete -c bricks -f',
    ...fishCommand(main, 'bricks', none),
    ...commands.flatMap((command) => [
      `complete -c bricks${none} -a ${command.name} -d ${quote(command.summary)}`,
      ...fishCommand(command, 'bricks', ` -n '__fish_seen_subcommand_from ${command.name}'`),
    ]),
    ...Object.entries(programs).flatMap(([program, name]) => [
      `complete -c ${program} -f`,
      ...fishCommand(byName.get(name) ?? main, program, ''),
    ]),
    '',
  ].join('\n');
}

/** The file that makes `shell` complete. Throws `usage` for a shell that is not known. */
export function completionPage(shell: string, main: Command, commands: readonly Command[]): string {
  switch (shell) {
    case 'bash':
      return bash(main, commands);
    case 'zsh':
      return zsh(main, commands);
    case 'fish':
      return fish(main, commands);
    default:
      throw new BricksError(
        'usage',
        `there is no completion for '${shell}', only for ${completionShells.join(', ')}`,
      );
  }
}
