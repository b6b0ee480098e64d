/** What scripts do with a Filter's rules; while its engine runs, too. */
import type { Brick } from '../flow/brick.ts';
import { type ApiContext, type Arguments, chained, type HandleMethod } from './api.ts';
import { ruleFields, ruleListOf, ruleTables } from './rule-list.ts';
import type { Result } from './values.ts';

const idMax = 4294967295;

const id = {
  name: 'id',
  type: 'integer',
  minimum: 1,
  maximum: idMax,
  summary: 'number of the rule',
} as const;

function addRule(context: ApiContext, brick: Brick, args: Arguments): Result {
  const list = ruleListOf('b:add_rule', brick);
  const fields = ruleFields('b:add_rule: argument #1 (rule)', args.any('rule'));
  return context.binding.addRules(list, [fields])[0];
}

function addRules(context: ApiContext, brick: Brick, args: Arguments): Result {
  const list = ruleListOf('b:add_rules', brick);
  return context.binding.addRules(list, ruleTables('b:add_rules', args.any('rules')));
}

export const ruleMethods: readonly HandleMethod<Brick>[] = [
  {
    name: 'add_rule',
    arguments: [{ name: 'rule', type: 'any', summary: 'a table; docs/filter-rules.md' }],
    returns: 'the id of the rule',
    summary: 'Adds a rule to a Filter. It holds from the next batch of packets on.',
    example: 'id = f:add_rule{ address = "10.1.0.0/16", action = "drop", timeout = 60 }',
    call: addRule,
  },
  {
    name: 'add_rules',
    arguments: [{ name: 'rules', type: 'any', summary: 'a list of such tables' }],
    returns: 'a list of their ids',
    summary: 'Adds many rules to a Filter: all of them, or none.',
    example: 'f:add_rules{ { address = "10.0.0.1" }, { mac = "02:00:00:00:00:01" } }',
    call: addRules,
  },
  {
    name: 'remove_rule',
    arguments: [id],
    returns: 'the brick',
    summary: 'Removes a rule of a Filter.',
    example: 'f:remove_rule(id)',
    call: (context, self, args) => {
      const list = ruleListOf('b:remove_rule', self);
      context.binding.removeRule(list, args.optionalNumber('id') ?? 0);
      return chained;
    },
  },
  {
    name: 'change_rule',
    arguments: [id, { name: 'fields', type: 'any', summary: 'a table of what is to be different' }],
    returns: 'the brick',
    summary:
      'Changes a rule of a Filter, which keeps its counts. What it matches, and what it does, ' +
      'are each replaced as a whole; a new timeout starts anew.',
    example: 'f:change_rule(id, { action = "pass" })',
    call: (context, self, args) => {
      const list = ruleListOf('b:change_rule', self);
      const fields = ruleFields('b:change_rule: argument #2 (fields)', args.any('fields'));
      context.binding.changeRule(list, args.optionalNumber('id') ?? 0, fields);
      return chained;
    },
  },
  {
    name: 'rules',
    arguments: [],
    returns:
      'a list of tables: what each rule was given, and id, hits, bytes, dropped, seconds_left',
    summary: 'The rules of a Filter, the first to match first.',
    example: 'f:rules()[1].hits',
    call: (context, self) =>
      context.binding.listRules(ruleListOf('b:rules', self)) as unknown as Result,
  },
];
