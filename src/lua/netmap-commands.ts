/**
 * packet-bricks' utils.lua asks the shell for netmap's kernel module and sets its number of pipes;
 * scripts give up where it is not loaded. Our pipes need no module: without one, these commands
 * succeed and do nothing.
 */
import { existsSync } from 'node:fs';

const folder = '/sys/module/netmap';
const entersFolder = /^\s*cd\s+(['"]?)\/sys\/module\/netmap(\/parameters)?\/?\1\s*$/;
const setsParameter = /^\s*echo\s+\d+\s*>\s*(['"]?)\/sys\/module\/netmap\/parameters\/\w+\1\s*$/;

/** True for a command that only a loaded module would carry out, and that nothing depends on. */
export function isNetmapCommand(command: string, moduleFolder = folder): boolean {
  return (entersFolder.test(command) || setsParameter.test(command)) && !existsSync(moduleFolder);
}
