/** What can be said of each brick by itself: its kind, how many inputs and outputs, their names. */
import type { ErrorCode } from '../errors.ts';
import type { BrickTypeInfo } from '../native/binding.ts';
import type { Brick } from './brick.ts';
import { bareName, inputNames, outputNames } from './names.ts';
import type { GraphRules } from './rules.ts';

export interface Complaint {
  readonly code: ErrorCode;
  readonly text: string;
}

export function checkBricks(bricks: readonly Brick[], rules: GraphRules): Complaint[] {
  const complaints = bricks.flatMap((brick) => checkBrick(brick, rules));
  if (bricks.length > rules.bricksMax) {
    const text = `${bricks.length} bricks in one engine; at most ${rules.bricksMax} (kBricksMax)`;
    complaints.push({ code: 'invalid_graph', text });
  }
  return complaints;
}

function checkBrick(brick: Brick, rules: GraphRules): Complaint[] {
  const type = rules.kinds.get(brick.kind);
  if (type === undefined) {
    return [{ code: 'unknown_brick', text: `${brick.id}: there is no brick "${brick.kind}"` }];
  }
  const texts = [
    ...countFaults(brick, type, 'input', inputNames(brick, rules).length, type.inputs),
    ...countFaults(brick, type, 'output', outputNames(brick, rules).length, [
      type.outputs[0],
      Math.min(type.outputs[1], rules.outletsMax),
    ]),
    ...[...brick.inputs, ...brick.outputs].flatMap((name) => {
      const fault = nameFault(name, rules);
      return fault === undefined ? [] : [`${brick.id}: ${fault}`];
    }),
  ];
  return texts.map((text) => ({ code: 'invalid_graph', text }));
}

/** Bounds that hold for every name; what the name means is the port's business. */
export function nameFault(name: string, rules: GraphRules): string | undefined {
  const bytes = Buffer.byteLength(bareName(name));
  if (bytes === 0) return 'a port name is empty';
  if (bytes > rules.nameMax) {
    const start = [...name].slice(0, 24).join('');
    return `the name ${start}... is ${bytes} bytes long; 1 to ${rules.nameMax} are allowed`;
  }
  return undefined;
}

function countFaults(
  brick: Brick,
  type: BrickTypeInfo,
  what: 'input' | 'output',
  count: number,
  [minimum, maximum]: readonly [number, number],
): string[] {
  if (count >= minimum && count <= maximum) return [];
  const range = minimum === maximum ? `exactly ${minimum}` : `${minimum} to ${maximum}`;
  const hint = count < minimum ? `; add with b:connect_${what}("...")` : '';
  return [`${brick.id}: a ${type.name} takes ${range} ${what}(s), it has ${count}${hint}`];
}
