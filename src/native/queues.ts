/** Queue groups in the native binding; native/queues/queue_groups.hh says what each is. */
import type { Options } from './binding.ts';
import type { FigureInfo, OptionInfo } from './tables.ts';

export interface QueueGroupRow {
  readonly id: number;
  /** All of them, completed with defaults. */
  readonly options: Options;
  /** How often they were changed. */
  readonly updates: number;
  /** Engines' bricks that have had packets of it and are still there. */
  readonly workers: number;
  /** By the names of `queueCounts`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Of packets that waited: how many waited less than 1, 2, 4, … microseconds. */
  readonly delays: readonly number[];
}

export interface QueueBinding {
  /** What a group can be made of, beside its number. */
  queueOptions(): OptionInfo[];
  queueCounts(): FigureInfo[];
  /**
   * A group of that number. It is there: these options take the place of its own, and what waits
   * stays. Throws `invalid_argument`, `limit_reached`.
   */
  createQueueGroup(id: number, options: Options): void;
  /** What waits leaves by the group's option `at_end`. Throws `invalid_argument`: no such group. */
  removeQueueGroup(id: number): void;
  /** By number. */
  listQueueGroups(): QueueGroupRow[];
}
