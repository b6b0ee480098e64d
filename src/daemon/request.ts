/** Checks what a client sent before anything believes it. */
import { BricksError } from '../errors.ts';
import type { FlowQuestion, Request } from '../protocol.ts';

/** Bytes of one message, and so of one chunk of Lua. */
export const messageBytesMax = 4 * 1024 * 1024;

const reports = ['status', 'stats', 'ledger'] as const;

function refuse(what: string): never {
  throw new BricksError('usage', `not a request of this protocol: ${what}`);
}

/** Ranges are native/engine/probe.cc's matter. */
function questionOf(value: unknown): FlowQuestion {
  const fields = new Map<string, unknown>(Object.entries(value ?? {}));
  const textOf = (name: string): string => {
    const field = fields.get(name);
    return typeof field === 'string' ? field : refuse(`"question.${name}" must be a string`);
  };
  const numberOf = (name: string, most: number): Record<string, number> => {
    const field = fields.get(name);
    if (field === undefined) return {};
    const isFine = typeof field === 'number' && Number.isInteger(field);
    if (isFine && field >= 0 && field <= most) return { [name]: field };
    return refuse(`"question.${name}" must be a whole number from 0 to ${most}`);
  };
  return {
    protocol: textOf('protocol'),
    source: textOf('source'),
    target: textOf('target'),
    ...numberOf('sourcePort', 65_535),
    ...numberOf('targetPort', 65_535),
    ...numberOf('vlan', 4094),
    ...numberOf('vni', 16_777_215),
  };
}

/** Parses and checks one message. Throws `usage`. */
export function parseRequest(text: string): Request {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    refuse('the message is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse('the message is not an object');
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  const textOf = (name: string): string => {
    const field = fields.get(name);
    return typeof field === 'string' ? field : refuse(`"${name}" must be a string`);
  };
  const id = fields.get('id');
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) {
    refuse('"id" must be an integer');
  }
  const type = fields.get('type');
  switch (type) {
    case 'execute': {
      const interactive = fields.get('interactive');
      if (typeof interactive !== 'boolean') {
        refuse('"interactive" must be true or false');
      }
      return { id, type, code: textOf('code'), name: textOf('name').slice(0, 255), interactive };
    }
    case 'complete':
      return { id, type, line: textOf('line') };
    case 'report': {
      const report = reports.find((known) => known === fields.get('report'));
      return {
        id,
        type,
        report: report ?? refuse(`"report" must be one of ${reports.join(', ')}`),
      };
    }
    case 'explain':
      return { id, type, question: questionOf(fields.get('question')) };
    case 'tap': {
      const sample = fields.get('sample');
      if (typeof sample !== 'number' || !(sample >= 1 && sample <= 2 ** 24)) {
        refuse('"sample" must be a number from 1 to 16777216');
      }
      return { id, type, link: textOf('link'), expression: textOf('expression'), sample };
    }
    case 'interrupt':
    case 'shutdown':
      return { id, type };
    default:
      return refuse(
        '"type" must be execute, interrupt, complete, report, explain, tap or shutdown',
      );
  }
}
