/** docs/tools.md: the tables by which tools-matrix.test.ts runs other people's programs. */
import { stockPrograms } from '../../test/e2e/stock-programs.ts';
import { refusals } from '../../test/e2e/tool-refusals.ts';
import { openWays } from '../../test/e2e/tool-ways.ts';

type Table = (head: readonly string[], rows: readonly (readonly string[])[]) => string;

export function toolsPage(note: string, table: Table): string {
  const sections = openWays.map(
    (way) => `## ${way.name}

The output is \`${way.output}\`. ${way.said}

${table(
  ['program', 'command'],
  stockPrograms.map((program) => [program.name, `\`${way.shown(program)}\``]),
)}`,
  );
  const remarks = stockPrograms.flatMap(({ name, remarks: all = [] }) =>
    all.map((remark) => [name, remark]),
  );
  return `${note}# Programs that people have

Whatever reads packets on Linux reads ours, as Debian 12 ships it. Below is how each opens each kind
of output. \`npm test -- tools-\` runs all of it, with one of each program and with three behind a
LoadBalancer: each worker has as many packets as \`bricks ledger\` says of its output, and what the
workers of a program found together (packets, files, fingerprints, flows, events) is what it finds
in the capture itself. Wireshark and tshark also list every pipe and link as an interface:
[wireshark](wireshark.md). Other programs open the same things: [cookbook](cookbook/README.md).

${table(
  ['program', "Debian's package", 'its packets are counted'],
  stockPrograms.map((program) => [
    program.name,
    program.package,
    program.packets ? 'yes' : 'no: it does not look at all of them, or does not tell',
  ]),
)}
${sections.join('\n')}
## Good to know

${table(['program', ''], remarks)}
## What they cannot do

\`npm test -- tools-\` tries these, too, and expects to be refused.

${table(
  ['program', 'refused', 'because', 'instead'],
  refusals.map((refusal) => [
    refusal.program,
    `\`${refusal.shown ?? refusal.tries}\``,
    refusal.why,
    refusal.instead,
  ]),
)}`;
}
