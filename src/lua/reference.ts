/** docs/lua.md, made from the table that the Lua state is made from. */
import type { ApiClass, Method } from './api.ts';
import { handleName } from './help.ts';
import { apiClasses } from './install.ts';
import { signature } from './texts.ts';

const introduction = `# Lua reference

Made from the table in \`src/lua/api-*.ts\`: help, argument checks and completion come from the same
place. In the shell, \`Brick.help("Filter")\` and \`PktEngine.help("link")\` print what stands here.

A call with a wrong argument, an unknown name or at the wrong time raises an error that names the
argument and what it may be, and changes nothing. Arguments after the last one listed are ignored.
Numbers may be text, as in Lua 5.1. Port names are in \`ports.md\`, options in \`bricks.md\`.
`;

const language = `
## The language

Scripts written for packet-bricks, in Lua 5.1, run as they are.

- Numbers are doubles and whole ones print without \`.0\`. \`%d\` cuts off what is behind the point.
- \`unpack\`, \`loadstring\`, \`setfenv\`, \`getfenv\`, \`module\`, \`table.getn\`,
  \`table.maxn\`, \`math.pow\`, \`math.mod\`, \`string.gfind\` are there. \`setfenv\` gives a
  function a new environment only if it uses globals.
- \`os.execute\` returns the exit status alone, \`os.clock\` the CPU seconds of the whole process,
  \`os.exit(status)\` stops all engines in order and ends the program.
- \`io.popen(command, "r")\` runs the command to its end first; with \`"w"\` it runs when the
  handle is closed. \`io.read\` reads the daemon's own standard input.
- \`dofile(prefix .. "bricks-scripts/utils.lua")\` finds the file of this package where no other is
  installed.
- The state lives as long as the daemon: what a script or a shell defines, every shell sees. Ctrl-C
  ends what runs, also what waits in \`pe:wait\` and \`BRICKS.sleep\`.
- A line in the shell is tried as an expression first, and its values are printed; handles that
  a call returns for chaining are not.

## Chaining

Output \`eth3{0\` feeds the brick whose input is \`eth3}0\`; a name without braces matches as it is.
Bricks may be linked in any order, as root or behind another brick, several roots to one engine. A
PcapReader's plain names are capture files or folders; an interface named beside them, which
packet-bricks needed for its memory, is accepted and not opened. A PcapWriter's plain names are
files.
`;

function methodText(prefix: string, method: Method): string {
  const rows = method.arguments.map(
    ({ name, type, optional, summary }) =>
      `- \`${name}\` (${type}${optional ? ', optional' : ''}): ${summary}\n`,
  );
  const list = rows.length === 0 ? '' : `\n${rows.join('')}`;
  return `
### ${signature(prefix, method)}

${method.summary} Returns ${method.returns}.
${list}
\`\`\`lua
${method.example}
\`\`\`
`;
}

function classText(api: ApiClass): string {
  return [
    `\n## ${api.name}\n\n${api.summary}\n`,
    ...api.statics.map((method) => methodText(`${api.name}.`, method)),
    ...api.methods.map((method) => methodText(`${handleName[api.name]}:`, method)),
  ].join('');
}

/** The whole page, Markdown. */
export function luaReferencePage(): string {
  return introduction + apiClasses.map(classText).join('') + language;
}
