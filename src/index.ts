/**
 * bricks for other TypeScript programs: engines in this process, the messages of `control.sock`,
 * and captures read without the native part.
 */
export { comparePartition, describePartition, type PartitionReport } from './capture/compare.ts';
export { flowOf } from './capture/flow.ts';
export { parseCapture, readCapture } from './capture/read.ts';
export type { Capture, CaptureRecord } from './capture/record.ts';
export { Engines } from './engine/engine.ts';
export { ledgerOf } from './engine/ledger.ts';
export { statsOf } from './engine/stats.ts';
export { statusOf } from './engine/status.ts';
export {
  BricksError,
  type ErrorCode,
  errorCatalogue,
  exitCodeOf,
  exitCodes,
} from './errors.ts';
export type * from './native/binding.ts';
export { loadBinding } from './native/load.ts';
export { protocolVersion, type Request, type Response } from './protocol.ts';
