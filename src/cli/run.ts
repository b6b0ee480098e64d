/**
 * `bricks run` starts a program with our libraries in it. It is a program of its own (native/run),
 * which the launcher in bin/ starts without Node: it becomes the program it starts.
 */
import { type Command, helpOption, runDirOption, startedByLauncher } from './command.ts';

export const runCommand: Command = {
  name: 'run',
  usage: '[--run-dir DIR] [--] PROGRAM [ARG...]',
  summary: 'start any program of libpcap or netmap so that it opens our pipes',
  details:
    "A program of libpcap opens a pipe as bricks:NAME (tcpdump -i 'bricks:eth3}0'), one of\n" +
    "netmap as netmap:NAME (pkt-gen -i 'netmap:eth3}0'), without the kernel module. Sets\n" +
    'LD_PRELOAD (what it held stays, behind ours) and BRICKS_RUN_DIR, then becomes PROGRAM:\n' +
    'signals, the terminal and the exit code are its own. Refused by name: what no library can\n' +
    'be loaded into (linked statically, setuid, setgid, given capabilities, for another machine\n' +
    'or C library); a script is judged by its interpreter. Exit code 126: PROGRAM cannot be\n' +
    'started this way; 127: it is not there.',
  options: { ...runDirOption, ...helpOption },
  words: [1, Number.POSITIVE_INFINITY],
  completes: 'program',
  run: startedByLauncher('run', '-- PROGRAM'),
};
