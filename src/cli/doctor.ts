/** `bricks doctor`: is this machine fit, and what mends it. */
import { examine, type Finding } from '../doctor/doctor.ts';
import { exitCodes } from '../errors.ts';
import { type Command, helpOption, jsonOption } from './command.ts';
import { formatTable } from './table.ts';

function printFindings(findings: readonly Finding[]): string {
  const table = formatTable(
    ['CHECK', 'STATE', 'FOUND'],
    findings.map(({ check, state, found }) => [
      check,
      state === 'fault' ? 'FAULT' : state === 'unknown' ? '-' : state,
      found,
    ]),
  );
  const mends = findings
    .filter(({ mend }) => mend !== undefined)
    .map(({ check, mend }) => `  ${mend}\n      (${check})\n`);
  return table + (mends.length === 0 ? '' : `\nWhat mends it:\n${mends.join('')}`);
}

export const doctorCommand: Command = {
  name: 'doctor',
  usage: '[INTERFACE...] [--json]',
  summary: 'checks the machine and its interfaces; prints the line that mends each fault',
  details:
    'Needs no daemon. Rights, memory, processors, clock; of each interface named (default: all)\n' +
    'the offloads that change packets, receive ring, symmetry of receive scaling, and losses.\n' +
    'Exit code 8: a fault was found. Advice alone is 0.',
  options: { ...jsonOption, ...helpOption },
  words: [0, 1000],
  completes: 'interface',
  run: (args) => {
    const findings = examine(args.words);
    const isFit = !findings.some(({ state }) => state === 'fault');
    process.stdout.write(
      args.flag('json') ? `${JSON.stringify({ ok: isFit, findings })}\n` : printFindings(findings),
    );
    return isFit ? exitCodes.ok : exitCodes.checkFailed;
  },
};
