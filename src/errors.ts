/**
 * The error catalogue: every code an operating error can have, and the exit code it becomes. Native
 * code (native/mem/status.hh) uses the same names; a test holds both together.
 */

export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  configuration: 3,
  unreachable: 4,
  permission: 5,
  notFound: 6,
  conflict: 7,
  checkFailed: 8,
  timeout: 124,
  interrupted: 130,
} as const;

export const errorCatalogue = {
  failed: { exit: exitCodes.failure, summary: 'the system refused; its words are in the message' },
  unsupported: { exit: exitCodes.failure, summary: 'this machine or kernel cannot do it' },
  script_failed: { exit: exitCodes.failure, summary: 'the Lua script raised an error' },
  usage: { exit: exitCodes.usage, summary: 'the command line makes no sense' },
  invalid_argument: {
    exit: exitCodes.configuration,
    summary: 'an argument or option out of range',
  },
  invalid_port_name: { exit: exitCodes.configuration, summary: 'a port name that makes no sense' },
  invalid_graph: { exit: exitCodes.configuration, summary: 'bricks, inputs, outputs do not fit' },
  unknown_brick: { exit: exitCodes.configuration, summary: 'no brick of that kind' },
  not_a_capture: { exit: exitCodes.configuration, summary: 'the file is not pcap or pcapng' },
  syntax_error: { exit: exitCodes.configuration, summary: 'the Lua code does not compile' },
  limit_reached: { exit: exitCodes.configuration, summary: 'a named bound is reached' },
  daemon_unreachable: { exit: exitCodes.unreachable, summary: 'no daemon answers' },
  permission_denied: { exit: exitCodes.permission, summary: 'a right is missing' },
  no_such_file: { exit: exitCodes.notFound, summary: 'no such file' },
  no_such_interface: { exit: exitCodes.notFound, summary: 'no such network interface' },
  no_such_engine: { exit: exitCodes.notFound, summary: 'no engine of that name' },
  no_such_pipe: { exit: exitCodes.notFound, summary: 'no pipe of that name' },
  already_exists: { exit: exitCodes.conflict, summary: 'that name is taken' },
  already_running: { exit: exitCodes.conflict, summary: 'it is running' },
  not_running: { exit: exitCodes.conflict, summary: 'it is not running' },
  not_linked: { exit: exitCodes.conflict, summary: 'no brick is linked to the engine' },
  busy: { exit: exitCodes.conflict, summary: 'somebody else holds it' },
  check_failed: { exit: exitCodes.checkFailed, summary: 'a check found a fault' },
  timeout: { exit: exitCodes.timeout, summary: 'the time is up' },
  interrupted: { exit: exitCodes.interrupted, summary: 'stopped by the user' },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/** An operating error: `message` says what, where, why and what to type next. */
export class BricksError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'BricksError';
    this.code = code;
  }

  get exitCode(): number {
    return errorCatalogue[this.code].exit;
  }
}

/** The exit code for whatever was thrown: 1 for what is not ours. */
export function exitCodeOf(error: unknown): number {
  return error instanceof BricksError ? error.exitCode : exitCodes.failure;
}
