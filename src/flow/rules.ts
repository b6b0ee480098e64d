/** What a graph is checked against: the kinds, port names and bounds that native code knows. */
import { BricksError } from '../errors.ts';
import type { BrickTypeInfo, NativeBinding } from '../native/binding.ts';

export interface GraphRules {
  readonly kinds: ReadonlyMap<string, BrickTypeInfo>;
  /** Port schemes without the colon: `pcap`, `gen`, ... */
  readonly schemes: ReadonlySet<string>;
  readonly nameMax: number;
  readonly outletsMax: number;
  readonly inletsMax: number;
  readonly bricksMax: number;
  isPipe(name: string): boolean;
  /** `eth3{0` to `eth3}0` and back. */
  flip(name: string): string;
  /** What is wrong with a port name; undefined: nothing. */
  portFault(name: string, direction: 'input' | 'output'): string | undefined;
}

export function graphRules(binding: NativeBinding): GraphRules {
  const limits = binding.limits();
  const limit = (name: string): number => {
    const value = limits[name];
    if (value === undefined) throw new Error(`native limits() has no ${name}`);
    return value;
  };
  return {
    kinds: new Map(binding.brickTypes().map((type) => [type.name, type])),
    schemes: new Set(binding.portSchemes().map((entry) => entry.scheme.replace(/:$/, ''))),
    nameMax: limit('kNameMax'),
    outletsMax: limit('kOutletsMax'),
    inletsMax: limit('kInletsMax'),
    bricksMax: limit('kBricksMax'),
    isPipe: (name) => binding.isPipeName(name),
    flip: (name) => binding.flipPipeName(name),
    portFault: (name, direction) => {
      try {
        binding.checkPortName(name, direction);
        return undefined;
      } catch (error) {
        if (error instanceof BricksError) return error.message;
        throw error;
      }
    },
  };
}

/** The description of a kind; throws unknown_brick with the kinds there are. */
export function kindOf(rules: GraphRules, kind: string): BrickTypeInfo {
  const type = rules.kinds.get(kind);
  if (type !== undefined) return type;
  const near = [...rules.kinds.keys()].find((name) => name.toLowerCase() === kind.toLowerCase());
  const hint = near === undefined ? '' : ` (names are exact: did you mean "${near}"?)`;
  throw new BricksError(
    'unknown_brick',
    `there is no brick "${kind}"${hint}; kinds: ${[...rules.kinds.keys()].join(', ')}`,
  );
}
