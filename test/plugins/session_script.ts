/**
 * A plugin that does what its options say, for test/cases/session-calls.tsv. Each call appends its
 * letter and event to the file `told`; so does each result that is not 0.
 */
import { appendFileSync } from 'node:fs';
import { codes, definePlugin, type PluginEvent, type Session } from 'bricks/plugin';

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

let letter = '';
let told = '';
let wanted = '';
let actions: readonly (readonly [when: string, what: string])[] = [];

function tell(text: string): void {
  appendFileSync(told, `${text}\n`);
}

type Action = (session: Session, event: PluginEvent, argument: string) => number;

const known: Readonly<Record<string, Action>> = {
  take_over: (session) => session.takeOver(),
  detach: (session) => session.detach(),
  drop: (_, event) => event.drop(),
  kill: (session) => session.kill(),
  lock: (session) => session.lock(),
  unlock: (session) => session.unlock(),
  output: (session, _, output) => session.setOutput(Number(output)),
  context: (session) => {
    session.context = { of: letter };
    return 0;
  },
  uncontext: (session) => {
    session.context = undefined;
    return 0;
  },
  set: (session, _, argument) => {
    const [key = '', value = ''] = argument.split('=');
    const long = { long: 'k'.repeat(64), longest: 'k'.repeat(63) }[key];
    return session.setMetadata(long ?? key, value);
  },
  del: (session, _, key) => session.deleteMetadata(key),
  nokey: (session) => session.setMetadata('', 1),
  get_untouched: (session) => (session.getMetadata('absent') === undefined ? session.code : 1),
  types: (session) => {
    for (const value of [12n, 0.5, true, Uint8Array.of(1, 0, 2)]) {
      if (session.setMetadata('typed', value) !== 0) return session.code;
      const got = session.getMetadata('typed');
      if (String(got) !== String(value)) throw new Error(`set ${value}, got ${got}`);
    }
    return 0;
  },
  big: (session) => session.setMetadata('big', new Uint8Array(20_000)),
  group: (session, _, group) => session.addGroup(Number(group)),
  ungroup: (session, _, group) => session.removeGroup(Number(group)),
  child: (session, _, type) => Math.min(session.openChild(Number(type)), 0),
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
  if (!wanted.includes(mark)) return;
  const own = actions.filter(([when]) => when === `${letter}${mark}`);
  const fails = own.some(([, what]) => /^(throw|fail)/.test(what));
  tell(`${letter}${mark}${fails ? '!' : ''}`);
  for (const [when, what] of own) {
    const [name = '', argument = ''] = what.split(':');
    const action = known[name];
    if (action === undefined) throw new Error(`there is no action ${name}`);
    const code = action(event.session, event, argument);
    if (code !== 0) tell(`= ${when}.${name}=${names[code] ?? code}`);
  }
}

export default definePlugin({
  name: 'session_script',
  summary: 'does what its options say',
  options: {
    letter: { type: 'text', summary: 'what it is called' },
    told: { type: 'text', summary: 'a file for what it is called for' },
    wanted: { type: 'text', summary: 'events: O, 1, 2, X' },
    do: { type: 'text', summary: 'WHO+WHEN.WHAT[:ARGUMENT], with blanks between', preset: '' },
  },
  start({ options }) {
    letter = String(options['letter']);
    told = String(options['told']);
    wanted = String(options['wanted']);
    actions = String(options['do'])
      .split(' ')
      .filter((text) => text !== '')
      .map((text) => [text.slice(0, 2), text.slice(3)] as const);
  },
  onOpening: (event) => deal('O', event),
  onActive: (event) => deal('1', event),
  onPayload: (event) => deal('2', event),
  onClosing: (event) => deal('X', event),
});
