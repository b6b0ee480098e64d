/** What native code says of its kinds of bricks and ports, and of their options. */

export interface OptionInfo {
  readonly name: string;
  readonly type: 'boolean' | 'integer' | 'number' | 'text' | 'text_list' | 'number_list';
  /** As one would type it; '' where there is none. */
  readonly default: string;
  readonly minimum?: number;
  readonly maximum?: number;
  /** text: the allowed words. */
  readonly choices?: readonly string[];
  readonly summary: string;
}

/** What is counted beside the ledger. */
export interface FigureInfo {
  readonly name: string;
  /** counter: grows only, as long as its row lives; gauge: what is so now. */
  readonly kind: 'counter' | 'gauge';
  readonly summary: string;
}

export interface BrickTypeInfo {
  readonly name: string;
  readonly summary: string;
  readonly details: string;
  readonly inputs: readonly [minimum: number, maximum: number];
  readonly outputs: readonly [minimum: number, maximum: number];
  readonly options: readonly OptionInfo[];
  /** What `figures` of its rows may have; absent: none. */
  readonly figures?: readonly FigureInfo[];
}

export interface PortSchemeInfo {
  readonly scheme: string;
  readonly example: string;
  /** One line; undefined where it cannot be one. */
  readonly asInput?: string;
  readonly asOutput?: string;
  readonly options: readonly OptionInfo[];
}
