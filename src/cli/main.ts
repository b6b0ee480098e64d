/** From the words on the command line to a command, and from what it throws to an exit code. */
import { exitCodeOf, exitCodes } from '../errors.ts';
import { printError } from '../shell/output.ts';
import { bricksCommand } from './bricks.ts';
import { parseArguments } from './command.ts';
import { commandOf, commands } from './commands.ts';
import { commandHelp, overview } from './help.ts';

async function main(argv: readonly string[]): Promise<number> {
  try {
    const [word] = argv;
    const isCommand = word !== undefined && !word.startsWith('-');
    const command = isCommand ? commandOf(word) : bricksCommand;
    const args = parseArguments(command, isCommand ? argv.slice(1) : argv);
    if (args.flag('help')) {
      process.stdout.write(isCommand ? commandHelp(command) : overview(bricksCommand, commands));
      return exitCodes.ok;
    }
    return await command.run(args);
  } catch (error) {
    printError(error instanceof Error ? error.message : String(error));
    return exitCodeOf(error);
  }
}

// Whoever reads our output may stop reading (`| head`): that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failure);
});
process.stderr.on('error', () => {});

process.exit(await main(process.argv.slice(2)));
