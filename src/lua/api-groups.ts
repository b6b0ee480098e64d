/** Copy to groups, balance within each: a Duplicator with a LoadBalancer behind each output. */
import { BricksError } from '../errors.ts';
import type { Brick } from '../flow/brick.ts';
import type { Options } from '../native/binding.ts';
import type { ApiContext, Arguments, HandleMethod } from './api.ts';
import { checkedOptions, tableOptions } from './brick-options.ts';
import { BrickHandle, type Result, type TableValue, typeName } from './values.ts';

const where = 'b:connect_groups';
const balancer = 'LoadBalancer';

interface Group {
  readonly name: string;
  readonly pipes: readonly string[];
}

function groupsOf(context: ApiContext, table: TableValue): Group[] {
  const wrong = (what: string): never => {
    throw new BricksError(
      'invalid_argument',
      `${where}: argument #1 (groups) must be a table of names and numbers of pipes, like ` +
        `{ zeek = 4, ids = 2 }; ${what}`,
    );
  };
  if (table.list.length > 0 || table.fields.size === 0) wrong('each group needs a name');
  return [...table.fields].map(([name, count]) => {
    const most = context.rules.outletsMax;
    const isCount = typeof count === 'number' && Number.isInteger(count);
    if (!isCount || count < 1 || count > most) {
      return wrong(`group ${name} has 1 to ${most} pipes, got ${typeName(count)}`);
    }
    const pipes = Array.from({ length: count }, (_, index) => `${name}{${index}`);
    const fault = context.rules.portFault(pipes[0] ?? '', 'output');
    return fault === undefined ? { name, pipes } : wrong(fault);
  });
}

function linkOf(group: Group, end: '{' | '}'): string {
  return `to-${group.name}${end}0`;
}

function childOf(context: ApiContext, group: Group, options: Options): Brick {
  const child = context.bricks.make(balancer, options);
  child.inputs = [linkOf(group, '}')];
  child.outputs = [...group.pipes];
  return child;
}

function connectGroups(context: ApiContext, brick: Brick, args: Arguments): Result {
  if (brick.kind !== 'Duplicator') {
    throw new BricksError(
      'invalid_argument',
      `${where}: a ${brick.kind} does not copy; groups go behind a Duplicator: ` +
        'dup = Brick.new("Duplicator")',
    );
  }
  const groups = groupsOf(context, args.table('groups') as TableValue);
  const given = args.table('options');
  const options = checkedOptions(
    context,
    balancer,
    given === undefined ? {} : tableOptions(where, balancer, given),
  );
  const links = groups.map((group) => linkOf(group, '{'));
  const there = groups.find((_, index) => brick.outputs.includes(links[index] ?? ''));
  if (there !== undefined) {
    throw new BricksError(
      'already_exists',
      `${where}: ${brick.id} has a group ${there.name} already; its LoadBalancer takes more ` +
        `pipes: lb:connect_output("${there.name}{${there.pipes.length}")`,
    );
  }
  const children = groups.map((group) => childOf(context, group, options));
  context.registry.change(
    brick,
    () => {
      brick.outputs = [...brick.outputs, ...links];
      brick.children = [...brick.children, ...children];
      for (const child of children) child.parent = brick;
    },
    children,
  );
  return Object.fromEntries(
    groups.map(({ name }, index) => [name, new BrickHandle(children[index] as Brick)]),
  );
}

export const groupMethods: readonly HandleMethod<Brick>[] = [
  {
    name: 'connect_groups',
    arguments: [
      {
        name: 'groups',
        type: 'options',
        summary: 'names, and how many pipes each has: zeek = 4 makes zeek{0 to zeek{3',
      },
      { name: 'options', type: 'options', optional: true, summary: "the LoadBalancers' options" },
    ],
    returns: 'a table: the LoadBalancer of each group by its name',
    summary:
      'Each group gets every packet and balances them over its pipes by flow; what happens in ' +
      'one does not touch the others. For a Duplicator; also while the engine runs.',
    example: 'g = dup:connect_groups({ zeek = 4, ids = 2 }, { on_loss = "failover" })',
    call: connectGroups,
  },
];
