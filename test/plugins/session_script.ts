/**
 * A plugin that does what its options say, for test/cases/session-calls.tsv. Each call appends its
 * letter and event to the file `told`; so does each result that is not 0.
 */
import { appendFileSync } from 'node:fs';
import { codes, definePlugin, type Host, type PluginEvent, type Session } from 'bricks/plugin';

const names: Readonly<Record<number, string>> = {
  [codes.notPermitted]: 'EPERM',
  [codes.notFound]: 'ENOENT',
  [codes.noMemory]: 'ENOMEM',
  [codes.busy]: 'EBUSY',
  [codes.invalid]: 'EINVAL',
  [codes.notSupported]: 'ENOTSUP',
  [codes.already]: 'EALREADY',
  [codes.wrongState]: 'ESTATE',
  [codes.noContext]: 'ENOCTX',
};

let host: Host;
let letter = '';
let told = '';
let wanted = '';
let child = 0;
let actions: readonly (readonly [when: string, what: string])[] = [];

function tell(text: string): void {
  appendFileSync(told, `${text}\n`);
}

type Action = (session: Session, argument: string, event: PluginEvent) => number;

/** Each kind of value comes back as it was set. */
function types(session: Session): number {
  for (const value of [12n, -7n, 0.5, true, false, Uint8Array.of(1, 0, 2)]) {
    if (session.setMetadata('i', value) !== 0) return session.code;
    const got = session.getMetadata('i');
    if (typeof got !== typeof value || String(got) !== String(value)) return 1;
  }
  return 0;
}

function openChild(session: Session, type: string): number {
  const opened = session.openChild(Number(type));
  if (opened < 0) return opened;
  child ||= opened;
  return 0;
}

function many(session: Session): number {
  let code = 0;
  for (let i = 0; i < 33 && code === 0; i += 1) code = session.setMetadata(`m${i}`, '');
  return code;
}

const known: Readonly<Record<string, Action>> = {
  take_over: (session) => session.takeOver(),
  detach: (session) => session.detach(),
  drop: (_, __, event) => event.drop(),
  kill: (session) => session.kill(),
  lock: (session) => session.lock(),
  unlock: (session) => session.unlock(),
  output: (session, output) => session.setOutput(Number(output)),
  stranger: (session) => session.child(session.id + 1).kill(),
  context: (session) => {
    session.context = { of: letter };
    return 0;
  },
  uncontext: (session) => {
    session.context = undefined;
    return 0;
  },
  set: (session, argument) => {
    const [key = '', value = ''] = argument.split('=');
    const long = { long: 'k'.repeat(64), longest: 'k'.repeat(63) }[key];
    return session.setMetadata(long ?? key, value);
  },
  del: (session, key) => session.deleteMetadata(key),
  nokey: (session) => session.setMetadata('', 1),
  same: (session) => {
    const value = session.getMetadata('k');
    return value === undefined ? session.code : session.setMetadata('k', value);
  },
  flag: (session) => session.setMetadata('f', ''),
  hollow: (session) => session.setMetadata('f', undefined as never),
  get_untouched: (session) => (session.getMetadata('none') === undefined ? session.code : 1),
  types,
  short: (session) => session.setMetadata('i', 1n << 64n),
  big: (session) => session.setMetadata('big', new Uint8Array(17_000)),
  many,
  group: (session, group) => session.addGroup(Number(group)),
  group_wrong: (session) => session.addGroup(1, 2 as never),
  ungroup: (session, group) => session.removeGroup(Number(group)),
  make_group: (_, group) => host.createGroup(Number(group), 1_000_000, 100_000),
  unmake_group: (_, group) => host.deleteGroup(Number(group)),
  bad_group: (_, group) => host.createGroup(Number(group), 0, 0),
  child: openChild,
  child_meta: (session) => session.child(child).setMetadata('x', ''),
  close_child: (session) => session.closeChild(child),
  close_parent: (session) => session.closeChild(session.id),
  figure: (_, figure) => host.count(figure === '0' ? 'fives' : 'none', 5),
  versions: (_, text, { conflict, offset }) => {
    if (conflict === undefined || offset !== 1 || !conflict.delivered) return 1;
    if (conflict.beforeDigest === conflict.nowDigest) return 2;
    const [before, now] = [conflict.before, conflict.now].map((bytes) =>
      String(Buffer.from(bytes)),
    );
    return `${before}=${now}` === text ? 0 : 3;
  },
  fail: () => {
    throw new Error('asked to fail');
  },
  throw: () => {
    throw new Error('asked to throw');
  },
  throw_int: () => {
    throw 7;
  },
};

function deal(mark: string, event: PluginEvent): void {
  if (event.session.childType !== 0) {
    tell(`= ${letter}child=${mark}${mark === 'X' ? event.reason : ''}`);
    return;
  }
  if (!wanted.includes(mark)) return;
  const own = actions.filter(([when]) => when === `${letter}${mark}`);
  const fails = own.some(([, what]) => /^(throw|fail)/.test(what));
  tell(`${letter}${mark}${fails ? '!' : ''}`);
  for (const [when, what] of own) {
    const [name = '', argument = ''] = what.split(':');
    const action = known[name];
    if (action === undefined) throw new Error(`there is no action ${name}`);
    const code = action(event.session, argument, event);
    if (code !== 0) tell(`= ${when}.${name}=${names[code] ?? code}`);
  }
}

export default definePlugin({
  name: 'session_script',
  summary: 'does what its options say',
  figures: ['fives'],
  options: {
    letter: { type: 'text', summary: 'what it is called' },
    told: { type: 'text', summary: 'a file for what it is called for' },
    wanted: { type: 'text', summary: 'events: O, 1, 2, C, X' },
    do: { type: 'text', summary: 'WHO+WHEN.WHAT[:ARGUMENT], with blanks between', preset: '' },
  },
  start(given) {
    host = given;
    letter = String(host.options['letter']);
    told = String(host.options['told']);
    wanted = String(host.options['wanted']);
    actions = String(host.options['do'])
      .split(' ')
      .filter((text) => text !== '')
      .map((text) => [text.slice(0, 2), text.slice(3)] as const);
  },
  onOpening: (event) => deal('O', event),
  onActive: (event) => deal('1', event),
  onPayload: (event) => deal('2', event),
  onConflict: (event) => deal('C', event),
  onClosing: (event) => deal('X', event),
});
