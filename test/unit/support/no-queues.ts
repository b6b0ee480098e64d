/** The part of a NativeBinding in memory that is about queue groups: there are none. */
import type { OptionInfo } from '../../../src/native/binding.ts';

export class NoQueues {
  queueOptions(): OptionInfo[] {
    return [];
  }
  queueCounts(): [] {
    return [];
  }
  createQueueGroup(): void {}
  removeQueueGroup(): void {}
  listQueueGroups(): [] {
    return [];
  }
}
