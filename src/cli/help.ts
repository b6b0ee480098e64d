/** Help for people, and the reference page of docs/, both out of the table of commands. */
import { errorCatalogue, exitCodes } from '../errors.ts';
import { type Command, type CommandOption, usageLine } from './command.ts';
import { alignColumns } from './table.ts';

function optionWords(name: string, option: CommandOption): string {
  const long = `--${name}${option.value === undefined ? '' : ` ${option.value}`}`;
  return option.short === undefined ? `    ${long}` : `-${option.short}, ${long}`;
}

/** `bricks COMMAND -h` */
export function commandHelp(command: Command): string {
  const options = Object.entries(command.options).map(([name, option]) => [
    `  ${optionWords(name, option)}`,
    option.summary,
  ]);
  const details = command.details === undefined ? '' : `\n${command.details}\n`;
  return (
    `Usage: ${usageLine(command)}\n\n${command.summary}\n${details}` +
    `\nOptions:\n${alignColumns(options)}`
  );
}

/** `bricks -h`, `bricks help` */
export function overview(main: Command, commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }) => [`  ${name}`, summary]);
  const exits = [
    '0 ok',
    '1 failure',
    '2 usage',
    '3 configuration invalid',
    '4 daemon unreachable',
    '5 permission',
    '6 not found',
    '7 conflict or busy',
    '8 a check failed',
    '124 timeout',
    '130 interrupted',
  ];
  return (
    `${commandHelp(main)}\nCommands (bricks COMMAND -h tells more):\n${alignColumns(rows)}` +
    `\nExit codes: ${exits.join(', ')}\n`
  );
}

const codeOf = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;

function section(command: Command): string {
  const rows = Object.entries(command.options).map(
    ([name, option]) => `| ${codeOf(optionWords(name, option).trim())} | ${option.summary} |`,
  );
  return [
    `## bricks ${command.name}`.trim(),
    '',
    `\`${usageLine(command)}\``,
    '',
    command.summary,
    ...(command.details === undefined ? [] : ['', command.details]),
    '',
    '| option | meaning |',
    '| --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The reference page of the command line, in Markdown. */
export function referencePage(main: Command, commands: readonly Command[]): string {
  const codes = Object.entries(exitCodes).map(([name, exit]) => {
    const reasons = Object.entries(errorCatalogue)
      .filter(([, entry]) => entry.exit === exit)
      .map(([code]) => codeOf(code));
    return `| ${exit} | ${name} | ${reasons.join(', ')} |`;
  });
  return [
    '# Command line',
    '',
    '`bricks-server` is `bricks -d`, `bricks-shell` is `bricks -s`; `bricks-load-balance`,',
    '`bricks-duplicate` and `bricks-kill-server` are the commands of these names.',
    '',
    ...[main, ...commands].map(section),
    '## Exit codes',
    '',
    '| exit code | meaning | error codes |',
    '| --- | --- | --- |',
    ...codes,
    '',
  ].join('\n');
}
