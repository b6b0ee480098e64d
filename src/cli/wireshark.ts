/**
 * `bricks wireshark`: puts bricks-extcap (native/extcap) where Wireshark, tshark and dumpcap look
 * for such programs, and takes it away again.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { BricksError, exitCodes } from '../errors.ts';
import { clientProgram } from './cat.ts';
import { type Arguments, type Command, helpOption, jsonOption } from './command.ts';
import { formatTable } from './table.ts';

const programName = 'bricks-extcap';

/** Where Debian, Fedora, Arch and a build by hand have it, for machines without tshark. */
const usualFolders = [
  '/usr/lib/x86_64-linux-gnu/wireshark/extcap',
  '/usr/lib/aarch64-linux-gnu/wireshark/extcap',
  '/usr/lib64/wireshark/extcap',
  '/usr/lib/wireshark/extcap',
  '/usr/local/lib/wireshark/extcap',
];

type Kind = 'system' | 'user' | 'named';
interface Folder {
  readonly path: string;
  readonly kind: Kind;
}
type State = 'linked' | 'copied' | 'stale' | 'absent' | 'foreign';

/** What Wireshark says of itself; undefined: there is none on the PATH. */
function foldersText(): string | undefined {
  for (const program of ['tshark', 'wireshark']) {
    const { status, stdout } = spawnSync(program, ['-G', 'folders'], { encoding: 'utf8' });
    if (status === 0) return stdout;
  }
  return undefined;
}

/** From the lines of `tshark -G folders`; versions before 4.2 have no personal folder. */
export function parseFolders(text: string): Folder[] {
  return [...text.matchAll(/^(.*\bExtcap path):\s+(\S.*)$/gim)].map(([, name = '', path = '']) => ({
    path: path.trim(),
    kind: /personal/i.test(name) ? 'user' : 'system',
  }));
}

function allFolders(): Folder[] {
  const text = foldersText();
  if (text !== undefined) return parseFolders(text);
  return usualFolders
    .filter((path) => existsSync(path))
    .map((path) => ({ path, kind: 'system' as const }));
}

function stateOf(path: string): State {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'absent';
  if (found.isSymbolicLink()) {
    if (basename(readlinkSync(path)) !== programName) return 'foreign';
    return existsSync(path) ? 'linked' : 'stale';
  }
  const isOurs = found.isFile() && readFileSync(path).includes(`${programName} is started by`);
  return isOurs ? 'copied' : 'foreign';
}

/** The folder that is meant. Throws `no_such_file`. */
function chosenFolder(args: Arguments): Folder {
  const named = args.text('folder');
  if (named !== undefined) return { path: named, kind: 'named' };
  const kind: Kind =
    args.flag('user') || (!args.flag('system') && process.geteuid?.() !== 0) ? 'user' : 'system';
  const folders = allFolders();
  const found = folders.find((folder) => folder.kind === kind);
  if (found !== undefined) return found;
  if (folders.length > 0) {
    throw new BricksError(
      'no_such_file',
      `this Wireshark has no folder of its users' own for such programs (4.2 and later do); ` +
        'as root: bricks wireshark install --system; or, for one: --folder DIR and set ' +
        'WIRESHARK_EXTCAP_DIR=DIR where it is started',
    );
  }
  throw new BricksError(
    'no_such_file',
    'there is no Wireshark here: neither tshark nor wireshark is on the PATH, and none of its ' +
      'usual folders exists; apt-get install tshark, or name its folder: --folder DIR',
  );
}

function refuseForeign(path: string): void {
  if (stateOf(path) !== 'foreign') return;
  throw new BricksError(
    'already_exists',
    `${path} is somebody else's program; look at it, and remove it if it may go`,
  );
}

/** Throws `permission_denied`, saying how it is done. */
function attempt(what: string, path: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) {
      throw new BricksError('failed', `cannot ${what} ${path}: ${message}`);
    }
    throw new BricksError(
      'permission_denied',
      `${path} is not yours to ${what} (${code}); run it as root, or choose another folder: ` +
        '--user, or --folder DIR',
    );
  }
}

function install(args: Arguments): number {
  const program = clientProgram(programName);
  const { path: folder, kind } = chosenFolder(args);
  const path = join(folder, programName);
  refuseForeign(path);
  const isCopy = args.flag('copy');
  attempt('write', folder, () => {
    mkdirSync(folder, { recursive: true });
    rmSync(path, { force: true });
    if (isCopy) copyFileSync(program, path);
    else symlinkSync(program, path);
  });
  process.stdout.write(isCopy ? `copied ${program} to ${path}\n` : `${path} -> ${program}\n`);
  process.stdout.write(
    kind === 'named'
      ? `start Wireshark with WIRESHARK_EXTCAP_DIR=${folder}; pipes are listed as bricks:NAME\n`
      : 'pipes, links and inputs are listed as bricks:NAME; see them: tshark -D\n',
  );
  return exitCodes.ok;
}

function uninstall(args: Arguments): number {
  const named = args.text('folder');
  const folders = named === undefined ? allFolders() : [{ path: named, kind: 'named' as const }];
  const wanted = folders.filter(
    ({ kind }) => kind === 'named' || args.flag('user') === args.flag('system') || args.flag(kind),
  );
  let removed = 0;
  for (const { path: folder } of wanted) {
    const path = join(folder, programName);
    if (['absent', 'foreign'].includes(stateOf(path))) continue;
    attempt('remove', path, () => rmSync(path));
    process.stdout.write(`removed ${path}\n`);
    removed += 1;
  }
  if (removed === 0) process.stdout.write('it is not installed\n');
  return exitCodes.ok;
}

/** Interfaces that Wireshark would be told of now. */
function interfacesNow(): number {
  const { stdout } = spawnSync(clientProgram(programName), ['--extcap-interfaces'], {
    encoding: 'utf8',
  });
  return stdout.match(/^interface /gm)?.length ?? 0;
}

function status(args: Arguments): number {
  const named = args.text('folder');
  const folders = named === undefined ? allFolders() : [{ path: named, kind: 'named' as const }];
  const rows = folders.map(({ path, kind }) => ({
    folder: path,
    kind,
    state: stateOf(join(path, programName)),
  }));
  const interfaces = interfacesNow();
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify({ folders: rows, interfaces })}\n`);
  } else {
    process.stdout.write(
      formatTable(
        ['FOLDER', 'WHOSE', 'STATE'],
        rows.map((row) => [row.folder, row.kind, row.state]),
      ),
    );
    process.stdout.write(`\n${interfaces} interfaces of a running daemon to be listed now\n`);
  }
  return exitCodes.ok;
}

const actions: Readonly<Record<string, (args: Arguments) => number>> = {
  install,
  uninstall,
  status,
};

export const wiresharkCommand: Command = {
  name: 'wireshark',
  usage: 'install|uninstall|status [--user|--system|--folder DIR] [--copy] [--json]',
  summary: 'pipes, links and inputs among the interfaces of Wireshark and tshark',
  details:
    'install puts bricks-extcap into the folder where Wireshark looks for such programs: for\n' +
    "root the system's, else one's own, which Wireshark has from version 4.2 on. From then on\n" +
    "tshark -D lists what the daemon has, and tshark -i 'bricks:eth3}0' captures it. Exit code\n" +
    '5: the folder is not yours to write; 6: there is no Wireshark here; 7: another program has\n' +
    'that name there.',
  options: {
    user: { type: 'boolean', summary: "one's own folder" },
    system: { type: 'boolean', summary: "everybody's folder" },
    folder: { type: 'string', value: 'DIR', completes: 'folder', summary: 'that folder' },
    copy: { type: 'boolean', summary: 'install a copy, where a link would lead nowhere' },
    ...jsonOption,
    ...helpOption,
  },
  words: [1, 1],
  completes: Object.keys(actions),
  run: (args) => {
    const [word = ''] = args.words;
    const action = actions[word];
    if (action !== undefined) return action(args);
    throw new BricksError(
      'usage',
      `bricks wireshark does install, uninstall or status, not '${word}'`,
    );
  },
};
